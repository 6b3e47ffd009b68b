"""A folder of conversations and their reply links: pairs of a message and what answers it.

`NAME.ascii.txt` (or `NAME.txt`) has a message a line, numbered from 0; `NAME.annotation.txt` has lines `1000 1003 -`:
the second message answers the first. A message linked with itself begins a conversation, and makes no pair.
This is the layout of the IRC disentanglement corpora (arXiv:1810.11118).
"""

from pathlib import Path

from mlx_metaembed.data import lines
from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.table import Table
from mlx_metaembed.errors import CallError

LINKS = ".annotation.txt"
MESSAGES = (".ascii.txt", ".txt")


def fill(folder: Path, table: Table) -> None:
    """Take the pairs of every file of links, in the order of names. Notes the faults."""
    for links in sorted(folder.glob(f"*{LINKS}")):
        name = links.name.removesuffix(LINKS)
        found = next(
            (folder / f"{name}{suffix}" for suffix in MESSAGES if (folder / f"{name}{suffix}").is_file()), None
        )
        if found is None or not links.is_file():
            table.faults.add(links.name, None, f"expected it and {name}{MESSAGES[0]} beside it as files")
            continue
        messages = [line.strip() for _, line in lines.read(found, table.faults, f"{found.name}, ")]
        for number, line in lines.read(links, table.faults, f"{links.name}, "):
            where = f"{links.name}, line {number}"
            pair = _pair(where, line, len(messages), table.faults)
            if pair:
                table.add(where, {"anchor": messages[pair[0]], "positive": messages[pair[1]]})
    if table.shape is None and not table.faults:
        raise CallError(f"{folder} has no link between two messages; expected lines like '1000 1003 -' in *{LINKS}")


def _pair(where: str, line: str, count: int, faults: Faults) -> tuple[int, int] | None:
    """The numbers of a message and its answer, or None for a blank line, a link to itself, or a fault."""
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
    return None if first == second else (first, second)
