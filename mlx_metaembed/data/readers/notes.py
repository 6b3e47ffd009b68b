"""Notes in Markdown or plain text, cut into parts that fit an encoder: a folder of them, or one file.

A part is as many paragraphs of one section as fit the budget; under a heading each part begins with that heading, so
that it can be understood alone. Its id is `path:line`, the line of its first paragraph, as editors open it.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from mlx_metaembed.data import lines
from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.rows import Texts
from mlx_metaembed.errors import CallError

SUFFIXES = (".md", ".markdown", ".txt")
BUDGET = 1_000
"""Characters of a part, its heading not counted: 200 to 250 tokens of English."""
HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]+(.*?))?[ \t]*#*[ \t]*$")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
Paragraph = tuple[int, str]
"""The line that it starts on, and its text."""


def files(folder: Path) -> list[Path]:
    """The notes under a folder, sorted; names that begin with a dot are left out, and links are not followed."""
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (Path(where, name) for name in sorted(names) if not name.startswith("."))
        found += [path for path in paths if path.suffix.lower() in SUFFIXES and path.is_file()]
    return found


def read(path: Path, faults: Faults) -> Texts:
    """The parts of every note, each with its file and line. Raises CallError for none, or one at fault."""
    found = Texts([], [])
    for file in files(path) if path.is_dir() else [path]:
        prefix = f"{file}, " if path.is_dir() else ""
        for line, text in parts(file, faults, prefix):
            if faults.text(f"{prefix}line {line}", None, text):
                found.ids.append(f"{file}:{line}")
                found.texts.append(text)
                found.lines.append((str(file), line))
    faults.raise_any()
    if not found.texts:
        raise CallError(f"{path} holds no text; expected notes ({', '.join(SUFFIXES)}) with words in them")
    return found


def parts(path: Path, faults: Faults, prefix: str = "") -> Iterator[Paragraph]:
    """The first line and the text of each part of a file."""
    content = [line.rstrip("\r\n") for _, line in lines.read(path, faults, prefix)]
    markdown = path.suffix.lower() != ".txt"
    for heading, paragraphs in _sections(content, markdown=markdown):
        held: list[Paragraph] = []
        for paragraph in (piece for each in paragraphs for piece in _pieces(each)):
            if held and sum(len(text) for _, text in held) + len(paragraph[1]) > BUDGET:
                yield _joined(heading, held)
                held = []
            held.append(paragraph)
        if held:
            yield _joined(heading, held)


def _joined(heading: Paragraph | None, held: list[Paragraph]) -> Paragraph:
    texts = [text for _, text in held]
    # A part that begins its section is found where the heading stands.
    return held[0][0], "\n\n".join([heading[1], *texts] if heading and held[0] != heading else texts)


def _sections(content: list[str], *, markdown: bool) -> Iterator[tuple[Paragraph | None, list[Paragraph]]]:
    """Each heading with its paragraphs, itself the first of them; None before the first heading."""
    heading: Paragraph | None = None
    found: list[Paragraph] = []
    held: list[str] = []
    fence = ""
    first = _after_front_matter(content) if markdown else 0
    for number, line in enumerate([*content[first:], ""], first + 1):
        mark = FENCE.match(line) if markdown else None
        inside = bool(fence)
        if mark and (not fence or (mark[1][0] == fence[0] and len(mark[1]) >= len(fence))):
            fence = "" if fence else mark[1]
        head = HEADING.match(line) if markdown and not inside and not fence else None
        if held and (head or (not line.strip() and not inside) or number > len(content)):
            found.append((number - len(held), "\n".join(held).strip("\n")))
            held = []
        if head and head[1]:
            yield heading, found
            heading, found = (number, line.strip()), [(number, line.strip())]
        elif head is None and (line.strip() or inside) and number <= len(content):
            held.append(line.rstrip())
    yield heading, found


def _after_front_matter(content: list[str]) -> int:
    """How many lines the block of YAML at the start of a note takes, which is about the note and no part of it."""
    if content and content[0].strip() == "---":
        for number, line in enumerate(content[1:], 2):
            if line.strip() in ("---", "..."):
                return number
    return 0


def _pieces(paragraph: Paragraph) -> Iterator[Paragraph]:
    """A paragraph, or its pieces where it is over the budget: cut at a line's end, else a sentence's, else a word's."""
    line, text = paragraph
    while len(text) > BUDGET:
        window = text[:BUDGET]
        ends = (window.rfind("\n"), window.rfind(". ") + 1, window.rfind(" "))
        end = next((end for end in ends if end > BUDGET // 3), BUDGET)
        if text[:end].strip():
            yield line, text[:end].strip()
        line += text.count("\n", 0, end)
        rest = text[end:]
        line += len(rest[: len(rest) - len(rest.lstrip())].split("\n")) - 1
        text = rest.lstrip()
    if text.strip():
        yield line, text
