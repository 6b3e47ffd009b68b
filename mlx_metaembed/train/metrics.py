"""metrics.jsonl: one row a reported step, appended while the run goes."""

import json
from pathlib import Path

from mlx_metaembed.folder import SIDE


def path_in(out: Path) -> Path:
    return out / SIDE / "metrics.jsonl"


def read(path: Path) -> list[dict]:
    """The rows; a last one that a killed run left half-written is dropped."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def keep_until(path: Path, step: int) -> float:
    """Drop the rows after a step, which will be run again; the seconds that the run had taken by then."""
    kept = [row for row in read(path) if row["step"] <= step]
    partial = path.with_suffix(".partial")
    partial.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    partial.replace(path)
    return kept[-1]["elapsed_s"] if kept else 0.0


def append(path: Path, row: dict) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
