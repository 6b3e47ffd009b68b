"""Pairs out of a tree of Python source: what a function's docstring says, and the function without it.

Functions inside functions are left in the outer one: their docstrings would be found in its text.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mlx_metaembed.data.code import comments, python
from mlx_metaembed.data.code.skips import MOST_BYTES
from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.rows import Pairs
from mlx_metaembed.data.table import Table
from mlx_metaembed.errors import CallError

TESTS = ("test", "tests", "idle_test")
OTHERS = ("idlelib", "turtledemo", "lib2to3", "site-packages", "dist-packages", "node_modules", "__pycache__", "venv")
FEWEST_WORDS = 3


@dataclass(frozen=True)
class Record:
    """A docstring's first paragraph, the function's source without the docstring, its file and first line."""

    anchor: str
    positive: str
    file: str
    line: int


def read(path: Path, faults: Faults) -> Pairs:
    """The pairs of a folder or of one file. Raises CallError where there are none."""
    found = pairs(path)
    if not found:
        raise CallError(
            f"{path} has no function with a docstring of {FEWEST_WORDS} words or more and more in its body than "
            f"one simple statement; expected Python source with documented functions"
        )
    table = Table(faults)
    for record in found:
        table.add(f"{record.file}, line {record.line}", {"anchor": record.anchor, "positive": record.positive})
    return table.rows()


def pairs(root: str | Path) -> list[Record]:
    """The records of every file under `root` (or of the file `root`), in the order of file names, without repeats.

    Left out: test folders and files, installed packages, files of a folder that do not parse or have more than 4 MiB,
    functions whose docstring has fewer than 3 words in its first paragraph or whose body is one simple statement.
    Raises CallError where `root` is one file that does not parse.
    """
    root = Path(root)
    records: dict[tuple[str, str], Record] = {}
    for path in [root] if root.is_file() else _files(root):
        name = path.name if path == root else path.relative_to(root).as_posix()
        try:
            if (size := path.stat().st_size) > MOST_BYTES:
                raise ValueError(f"it has {size:,} bytes, expected at most {MOST_BYTES:,}")
            found = list(_records(path.read_bytes(), name))
        except python.FAULTS as error:
            if path != root:
                continue
            raise CallError(f"{path} is not Python that this interpreter can parse ({error})") from None
        for record in found:
            records.setdefault((record.anchor, record.positive), record)
    return list(records.values())


def split(records: Sequence[Record], held_out: float = 0.1, seed: int = 0) -> tuple[list[Record], list[Record]]:
    """Training and held-out records, cut by file: `held_out` is the share of the files.

    No anchor and no positive is in both parts: a training record that repeats one is dropped. Files are ordered by a
    hash of seed and name, so the same files are held out on every machine and Python.
    Raises CallError where a part would be empty.
    """
    if not 0 < held_out < 1:
        raise CallError(f"held_out={held_out}: expected a share of the files between 0 and 1")
    files = sorted({record.file for record in records}, key=lambda file: _order(seed, file))
    chosen = set(files[: max(1, round(held_out * len(files)))])
    kept = [record for record in records if record.file in chosen]
    anchors, positives = {record.anchor for record in kept}, {record.positive for record in kept}
    train = [
        record
        for record in records
        if record.file not in chosen and record.anchor not in anchors and record.positive not in positives
    ]
    if not train or not kept:
        raise CallError(
            f"{len(records):,} functions of {len(files):,} files can't be split by file; expected more files"
        )
    return train, kept


def write_jsonl(records: Sequence[Record], path: str | Path) -> None:
    """Write records as JSON lines with the columns anchor, positive, file, line."""
    with Path(path).open("w", encoding="utf-8", newline="\n") as out:
        for record in records:
            out.write(json.dumps(asdict(record), ensure_ascii=False) + "\n")


def _order(seed: int, file: str) -> bytes:
    return hashlib.sha256(f"{seed}:{file}".encode("utf-8", "surrogateescape")).digest()


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in TESTS + OTHERS and not name.startswith("."))
        for name in sorted(names):
            tests = name.startswith("test_") or name.endswith("_test.py")
            # A pipe that is named as a program would be waited for.
            if name.endswith(".py") and not tests and (path := Path(folder, name)).is_file():
                yield path


def _records(source: bytes, file: str) -> Iterator[Record]:
    text = python.decode(source)
    for function in python.functions_of(python.parse(text), text.split("\n")):
        anchor = comments.paragraph(function.doc)
        if len(anchor.split()) < FEWEST_WORDS or anchor.startswith(">>>"):
            continue
        if function.text and not function.is_trivial:
            yield Record(anchor, function.text, file, function.first_line)
