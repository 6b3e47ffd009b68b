"""A folder of conversations and their reply links: pairs of a message and what answers it.

`NAME.ascii.txt` (or `NAME.txt`) has a message a line, numbered from 0; `NAME.annotation.txt` has lines `1000 1003 -`:
the second message answers the first. A message linked with itself begins a conversation, and makes no pair.
This is the layout of the IRC disentanglement corpora (arXiv:1810.11118).
"""

from collections.abc import Iterator
from pathlib import Path

from mlx_metaembed.data import lines
from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.table import Table
from mlx_metaembed.errors import CallError

LINKS = ".annotation.txt"
MESSAGES = (".ascii.txt", ".txt")


def fill(folder: Path, table: Table) -> None:
    """Take the pairs of every file of links, in the order of names. Notes the faults."""
    for path in sorted(folder.glob(f"*{LINKS}")):
        found = messages(path, table.faults)
        if found is None:
            continue
        for number, (first, second) in _numbered(path, len(found), table.faults):
            if first != second:
                table.add(f"{path.name}, line {number}", {"anchor": found[first], "positive": found[second]})
    if table.shape is None and not table.faults:
        raise CallError(f"{folder} has no link between two messages; expected lines like '1000 1003 -' in *{LINKS}")


def messages(path: Path, faults: Faults) -> list[str] | None:
    """The lines of the file of messages beside a file of links; None where either is no file: noted."""
    name = path.name.removesuffix(LINKS)
    found = next((each for suffix in MESSAGES if (each := path.with_name(f"{name}{suffix}")).is_file()), None)
    if found is None or not path.is_file():
        faults.add(path.name, None, f"expected it and {name}{MESSAGES[0]} beside it as files")
        return None
    return [line.strip() for _, line in lines.read(found, faults, f"{found.name}, ")]


def links(path: Path, count: int, faults: Faults) -> Iterator[tuple[int, int]]:
    """A message's number and that of its answer, a link a line; of `count` messages. Notes the faults."""
    for _, link in _numbered(path, count, faults):
        yield link


def _numbered(path: Path, count: int, faults: Faults) -> Iterator[tuple[int, tuple[int, int]]]:
    for number, line in lines.read(path, faults, f"{path.name}, "):
        link = _link(f"{path.name}, line {number}", line, count, faults)
        if link:
            yield number, link


def _link(where: str, line: str, count: int, faults: Faults) -> tuple[int, int] | None:
    """The numbers of a message and its answer, or None for a blank line or a fault."""
    cells = line.split()[:2]
    if not cells:
        return None
    if len(cells) != 2 or not all(cell.isascii() and cell.isdigit() and len(cell) < 12 for cell in cells):
        faults.add(where, None, f"{line.strip()[:40]!r}; expected the numbers of two messages")
        return None
    first, second = sorted(map(int, cells))
    if second >= count:
        faults.add(where, None, f"message {second}; there are {count:,}, numbered from 0")
        return None
    return first, second
