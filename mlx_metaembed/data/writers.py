"""Rows out as JSON lines, one at a time, under a temporary name until all are written."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk

SUFFIXES = (".jsonl", ".ndjson")
Write = Callable[[Mapping[str, object]], None]


def require_name(out: Path, *taken: Path) -> None:
    """Raise CallError where rows can't be written to `out`: its name is another kind's, or a source's."""
    if out.suffix.lower() not in SUFFIXES:
        raise CallError(f"{out}: rows are written as JSON lines; expected a name that ends in {' or '.join(SUFFIXES)}")
    if out.is_dir():
        raise CallError(f"{out} is a folder; expected the name of a file")
    if not out.parent.is_dir():
        raise CallError(f"{out}: there is no folder {out.parent}")
    for each in taken:
        if each.exists() and out.exists() and out.samefile(each):
            raise CallError(f"{out} is the source itself; choose another name for what is written")


@contextmanager
def json_lines(out: Path) -> Iterator[Write]:
    """What writes a row to `out`, which has its name when the block ends well. Raises JobError where it can't."""
    with disk.replacing_file(out) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        yield lambda row: file.write(json.dumps(row, ensure_ascii=False) + "\n")
