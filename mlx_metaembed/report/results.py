"""The rows of a results table, paired: `before@384` and `after@384` are one entry, named by what follows the @.

A row with another name (`bm25`, `teacher@768`) is an entry alone, under its whole name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlx_metaembed.report.intervals import belongs
from mlx_metaembed.report.units import finite

Row = Mapping[str, object]

STAGES = ("before", "after")
FACTS = ("name", "dimensions", "bytes_per_vector", "bytes_on_disk")
"""Columns that are no measure of quality."""


@dataclass
class Entry:
    """What stands on one line of the table: its label and its rows by stage ("before", "after" or "alone")."""

    label: str
    stages: dict[str, Row] = field(default_factory=dict)

    def number(self, stage: str, key: str) -> float | None:
        return finite(self.stages.get(stage, {}).get(key))

    @property
    def is_width(self) -> bool:
        """Whether the label is a plain width (384), not the name of a code or an export."""
        return self.label.isascii() and self.label.isdecimal() and len(self.label) < 8

    @property
    def names(self) -> str:
        return ", ".join(str(row.get("name", self.label)) for row in self.stages.values())


def pair(rows: Sequence[Row]) -> list[Entry]:
    """Entries in the order in which their labels first appear; a name that comes twice stands on two lines."""
    entries: list[Entry] = []
    for row in rows:
        name = str(row.get("name", "-"))
        stage, at, label = name.partition("@")
        stage, label = (stage, label) if at and stage in STAGES else ("alone", name)
        for entry in entries:
            if entry.label == label and stage not in entry.stages and ("alone" in entry.stages) == (stage == "alone"):
                break
        else:
            entry = Entry(label)
            entries.append(entry)
        entry.stages[stage] = row
    return entries


def measures(rows: Sequence[Row]) -> list[str]:
    """The columns that hold a quality, where more is better: those with a fraction; nDCG@10 first where it is there.

    Intervals, differences and thresholds belong to their figures.
    """
    columns = dict.fromkeys(key for row in rows for key in row if key not in FACTS)
    keys = [key for key in columns if not belongs(key, columns)]
    found = [key for key in keys if _measures(key) and any(isinstance(row.get(key), float) for row in rows)]
    # NumPy's float32 is no float; its float64 is.
    found += [key for key in keys if key not in found and _measures(key) and _fraction(rows, key)]
    return sorted(found, key=lambda key: key != "ndcg@10")


def others(rows: Sequence[Row]) -> list[str]:
    """The remaining columns, in order of appearance: counts, times, sizes, words, thresholds."""
    known = {*FACTS, *measures(rows)}
    columns = dict.fromkeys(key for row in rows for key in row if key not in known)
    return [key for key in columns if key.endswith("_threshold") or not belongs(key, {*columns, *known})]


def _measures(key: str) -> bool:
    return "bytes" not in key and not key.endswith(("_s", "_seconds", "_per_second"))


def _fraction(rows: Sequence[Row], key: str) -> bool:
    found = [finite(row.get(key)) for row in rows]
    return any(value is not None and value != int(value) for value in found)
