"""A text file of blocks: a text a line, a block a row, and between the blocks a line of one repeated sign.

`*******` between blocks of two lines makes pairs; `FILE.txt?separator=...` names another line.
"""

from collections.abc import Iterator
from pathlib import Path

from mlx_metaembed.data import lines
from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.table import Table
from mlx_metaembed.errors import CallError

SIGNS = "*=-_#~+"


def has_separators(path: Path) -> bool:
    """Whether a line near the start of a file is one sign, three times or more."""
    return any(_is_separator(line.strip()) for line in lines.start(path).split("\n"))


def fill(path: Path, table: Table, *, separator: str | None = None) -> None:
    """Take a file's rows, a cell a line. Raises CallError where no line is the separator."""
    seen = False
    for number, cells in _blocks(path, table.faults, separator):
        seen = seen or number is None
        if cells:
            table.add_cells(f"line {number}", cells)
    if not seen:
        raise CallError(f"{path} has no line {separator!r}; expected one between two blocks")


def _blocks(path: Path, faults: Faults, separator: str | None) -> Iterator[tuple[int | None, list[str]]]:
    """The first line and the texts of each block; None and nothing for a separator."""
    start, cells = 1, []
    for number, line in lines.read(path, faults):
        text = line.strip()
        if text == separator if separator else _is_separator(text):
            yield start, cells
            yield None, []
            cells = []
        elif text:
            start = start if cells else number
            cells.append(text)
    yield start, cells


def _is_separator(text: str) -> bool:
    return len(text) >= 3 and text[0] in SIGNS and text == text[0] * len(text)
