"""What a commit's message says, without the marks of trackers and tools; empty where that is nothing."""

import re

FEWEST_WORDS = 3
KINDS = (
    r"build|chore|ci|docs?|feat|feature|fix|perf|refactor|revert|style|tests?|release|deps|wip|hotfix|bugfix|"
    r"improvement|cleanup"
)
PREFIX = re.compile(
    rf"(?:(?:{KINDS})(?:\([^()]*\))?!?:\s*|\[[\w ,/.-]{{1,40}}\]\s*:?\s*|(?:gh|bpo|issue)?-?#?\d+\s*[:-]\s*|"
    r"[A-Z][A-Z0-9]+-\d+\s*[:-]?\s*|#\d+\s+|:[a-z0-9_+-]+:\s*)",
    re.IGNORECASE,
)
SUFFIX = re.compile(
    r"\s*(?:\((?:#|gh-|bpo-|PR\s?#?)\d+\)|\[(?:skip ci|ci skip|no ci)\]|"
    r"[(,;.]?\s*(?:(?:fix|clos|resolv)(?:e[sd]?|es)|refs?|see|issue)?:?\s*#\d+\)?)\s*\.?$",
    re.IGNORECASE,
)
NO_CONTENT = re.compile(
    r"(?:merge[ds]?\b|revert\b|reapply\b|bump\b|wip\b|fixup!|squash!|amend!|initial\s|first commit|release\b|"
    r"prepare (?:for )?(?:the )?release|version\b|v?\d+\.\d+|cut \d|tag\b|"
    r"(?:up(?:date|grade)|regenerate|sync|add|edit|fix|clean ?up|reformat|format|lint|run|apply)\s+"
    r"(?:the\s+|some\s+|all\s+)?(?:readme|changelog|changes|dependenc|deps\b|requirements|lock ?file|version|copyright|"
    r"licen[sc]e|typos?\b|whitespace|spelling|submodule|gitignore|\.git|translations?|formatting|style|imports|"
    r"warnings|lints?\b|clippy|black\b|ruff\b|prettier|gofmt|clang-format|comments?\b|docs?\b|documentation|tests?\b|"
    r"files?\b|code\b|stuff\b|things?\b|bugs?\b)[\w\s.,-]{0,20}$|"
    r"typos?\b|misc\b|minor\b.{0,15}$|address (?:review|comments|feedback)|review comments|more (?:work|fixes)|"
    r"automatic|auto-|\[?automated|cherry.pick)",
    re.IGNORECASE,
)
BOT = re.compile(r"\[bot\]|dependabot|renovate|github-actions|greenkeeper|\bbot\b", re.IGNORECASE)


def said(message: str, author: str = "") -> str:
    """The first line of a message without numbers of issues and kinds of changes; empty where it says nothing.

    Merges, reverts, releases, raised versions, formatting, fewer than three words, and what a program wrote say
    nothing of a function.
    """
    if BOT.search(author):
        return ""
    found = " ".join((message.strip().split("\n") or [""])[0].split())
    if NO_CONTENT.match(found):
        return ""
    while (shorter := SUFFIX.sub("", PREFIX.sub("", found, count=1), count=1)) != found:
        found = shorter
    words = [word for word in found.split() if any(map(str.isalpha, word))]
    return "" if NO_CONTENT.match(found) or len(words) < FEWEST_WORDS else found


def parsed(content: bytes) -> tuple[str, str]:
    """The message and the author's name of a commit object."""
    head, _, message = content.partition(b"\n\n")
    fields = dict(line.split(b" ", 1) for line in head.split(b"\n") if b" " in line and not line.startswith(b" "))
    encoding = fields.get(b"encoding", b"utf-8").decode("ascii", "replace")
    author = fields.get(b"author", b"").partition(b" <")[0]
    try:
        return message.decode(encoding), author.decode(encoding)
    except (LookupError, ValueError):
        return message.decode("utf-8", "replace"), author.decode("utf-8", "replace")
