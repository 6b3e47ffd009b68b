"""metrics.jsonl: one row a reported step, appended while the run goes."""

import json
from pathlib import Path

from mlx_metaembed.files import disk
from mlx_metaembed.folder import SIDE

LONGEST = 1 << 20
"""Bytes of a row."""


def path_in(out: Path) -> Path:
    return out / SIDE / "metrics.jsonl"


def read(path: Path) -> list[dict]:
    """The rows up to the first that is no row: a run that was killed may leave the last one half-written."""
    rows: list[dict] = []
    if not path.is_file():
        return rows
    with path.open("rb") as file:
        while line := file.readline(LONGEST):
            try:
                row = json.loads(line)
                if not all(isinstance(row[name], int | float) for name in ("step", "elapsed_s")):
                    break
            except (ValueError, RecursionError, TypeError, KeyError):
                break
            rows.append(row)
    return rows


def begin(out: Path, start: Path | None) -> list[dict]:
    """The rows that the log of a run begins with: those of the checkpoint that it goes on from, else none.

    Steps after the checkpoint are run again, and what stands in the folder may be cut off or damaged.
    """
    rows = read(path_in(start)) if start else []
    with disk.replacing_file(path_in(out)) as partial:
        partial.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return rows


def ends(rows: list[dict], key: str = "loss") -> tuple[float, float] | None:
    """The means of a quantity over the first tenth of the rows and over the last; None where fewer than two have it."""
    found = [row[key] for row in rows if isinstance(row.get(key), float)]
    some = max(len(found) // 10, 1)
    return (sum(found[:some]) / some, sum(found[-some:]) / some) if len(found) > 1 else None


def append(path: Path, row: dict) -> None:
    """Add a row. Raises OSError, with the file's name, where the disk is full."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
