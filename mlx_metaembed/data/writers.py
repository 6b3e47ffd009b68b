"""Rows out as JSON lines, one at a time, under a temporary name until all are written."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, time
from decimal import Decimal
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


def plain(where: str, row: Mapping[str, object]) -> dict[str, object]:
    """A row's values as JSON has them: times as ISO 8601, decimals as numbers, NaN as null.

    Raises CallError for a value that JSON has no form for, and for half of a surrogate pair.
    """
    found = {name: _plain(value) for name, value in row.items()}
    for name, value in found.items():
        try:
            json.dumps({name: value}, ensure_ascii=False, allow_nan=False).encode()
        except UnicodeEncodeError as error:
            character = error.object[error.start]
            raise CallError(f"{where}, column {name!r}: half a character, {character!r}; write it whole") from None
        except (TypeError, ValueError, RecursionError) as error:
            raise CallError(
                f"{where}, column {name!r}: JSON has no form for a value of type {type(value).__name__} ({error}); "
                f"leave the column out with --columns {name}="
            ) from None
    return found


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, date | time):
        return value.isoformat()
    value = float(value) if isinstance(value, Decimal) else value
    return None if isinstance(value, float) and math.isnan(value) else value
