"""What a comment or a docstring says of a function: its first paragraph, without marks, tags and markup."""

import html
import re
from collections.abc import Sequence

FEWEST_WORDS = 3
OPENS = re.compile(r"\s*(?:/\*[*!]?<?|//[/!]?<?|#+|--+)")
CLOSES = re.compile(r"\s*\*+/\s*$")
STAR = re.compile(r"\s*\*+")
RULE = re.compile(r"[\s*=\-_~#/+.<>|]*")
ENDS = re.compile(
    r"\s*(?:[@\\](?!brief\b|short\b|return|details\b|internal\b|file\b|link\b|code\b)\w+|#+ |```|~~~|>>>|iex>|"
    r"(?:Args|Arguments|Parameters|Params|Returns|Raises|Throws|Examples?|Usage|Notes?|See(?: also)?|Inputs?|Outputs?)"
    r"\s*:?\s*$|[-=~]{3,}\s*$|\.\. |:(?:param|return|returns|rtype|raises|type)\b)"
)
"""Where what a function does is over: tags, headings, examples, sections of parameters."""
NO_DOCUMENTATION = re.compile(
    r"copyright|spdx|licen[sc]ed under|eslint|tslint|prettier-|istanbul|c8 ignore|@ts-|jshint|nolint|noinspection|noqa|"
    r"clang-format|pragma|todo|fixme|xxx\b|hack\b|region\b|endregion|go:|\+build|vim:|-\*-|@generated|type:|"
    r"#__pure__|@internal\b\s*$|inheritdoc",
    re.IGNORECASE,
)
CODE = re.compile(
    r"[;{}]\s*$|^\s*(?:if|for|while|return|else|#include|#if|#define)\b.*[({;]|^\s*\w+\(.*\)[;,]?\s*$|=>|"
    r"^\s*(?:const|let|var|def|fn|func|public|private|static) \w+"
)
TAGS = re.compile(
    r"</?(?:p|code|pre|tt|b|i|em|strong|br|ul|ol|li|a|span|div|h\d|dl|dt|dd|blockquote|table|tr|td)\b[^>]*>"
)
PARAGRAPH = re.compile(r"<(?:p|ul|ol|pre|table|h\d|dl|blockquote|br\s*/?>\s*<br)\b[^>]*>", re.IGNORECASE)
MARKUP = (
    (re.compile(r"\{@(?:code|literal|value|index|summary)\s*([^{}]*)\}"), r"\1"),
    (re.compile(r"\{@link(?:plain|code)?\s+[^\s{}]+\s+([^{}]+)\}"), r"\1"),
    (re.compile(r"\{@(?:link|linkplain|linkcode|see)\s+#?([^{}]*)\}"), r"\1"),
    (re.compile(r"\{@\w+\s*([^{}]*)\}"), r"\1"),
    (re.compile(r"[@\\](?:brief|short|details|internal|returns?|link|c|p|a|ref|em|code|endcode)\b\s*"), ""),
    (re.compile(r"!?\[([^\[\]]+)\](?:\([^()\s]*\)|\[[^\[\]]*\])"), r"\1"),
    (re.compile(r"\[(`[^`\]]+`)\]"), r"\1"),
    (re.compile(r":[a-zA-Z:]+:`~?([^`<>]+?)(?:\s*<[^`]*>)?`"), r"\1"),
    (re.compile(r"`{1,2}([^`]+)`{1,2}(?:_\b)?"), r"\1"),
    (re.compile(r"(?<![\w*])\*{1,2}([^\s*](?:[^*]*[^\s*])?)\*{1,2}(?![\w*])"), r"\1"),
)


def text(comments: Sequence[str]) -> str:
    """The lines of comments that stand one below the other, without what marks them as comments."""
    lines = []
    for comment in comments:
        block = comment.lstrip().startswith("/*")
        for number, line in enumerate(comment.rstrip("\n").split("\n")):
            line = CLOSES.sub("", line) if block else line
            line = OPENS.sub("", line, count=1) if not number or not block else STAR.sub("", line, count=1)
            lines.append(line.rstrip().removeprefix(" "))
    return "\n".join("" if RULE.fullmatch(line) else line for line in lines).strip("\n")


def paragraph(documentation: str) -> str:
    """The first paragraph in one line, as it stands."""
    return " ".join(documentation.split("\n\n")[0].split())


def summary(documentation: str) -> str:
    """What documentation says at first, in one line of plain words.

    Empty where that has fewer than three words, is code or a directive, or speaks of a licence.
    """
    found: list[str] = []
    for line in documentation.split("\n"):
        if found and (not line.strip() or ENDS.match(line)):
            break
        if not found and ENDS.match(line):
            return ""
        if line.strip():
            found.append(line.strip())
    if not found or sum(CODE.search(line) is not None for line in found) * 2 > len(found):
        return ""
    if NO_DOCUMENTATION.match(found[0].lstrip("@ ")) or NO_DOCUMENTATION.match(found[0]):
        return ""
    return _worded(_plain(" ".join(found)))


def _plain(line: str) -> str:
    line = PARAGRAPH.split(line.lstrip()) if not PARAGRAPH.match(line.lstrip()) else [PARAGRAPH.sub("", line, count=1)]
    said = line[0]
    for pattern, kept in MARKUP:
        said = pattern.sub(kept, said)
    return " ".join(html.unescape(TAGS.sub("", said)).split()).strip(" *-")


def _worded(said: str) -> str:
    """A text that has three words or more, most of its characters letters; else an empty one."""
    words = [word for word in said.split() if any(map(str.isalpha, word))]
    letters = sum(map(str.isalpha, said)) + said.count(" ")
    return said if len(words) >= FEWEST_WORDS and letters >= 0.6 * len(said) else ""
