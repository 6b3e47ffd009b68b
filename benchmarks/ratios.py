"""Ratios of paired runs, and the table that shows them. A contestant without a peer has figures and no ratio."""

from collections.abc import Sequence
from statistics import median


def ratios(first: Sequence[float], second: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest of first / second, pair by pair."""
    each = [one / other for one, other in zip(first, second, strict=True)]
    return {"median": median(each), "min": min(each), "max": max(each)}


def rows(labels: Sequence[str], measures: Sequence[str], answers: Sequence[Sequence[dict]]) -> list[dict]:
    """A row a measure: the medians and the ratio, as the table and the JSON have them; one label or two."""
    made = []
    for measure in measures:
        sides = [[answer[measure] for answer in side] for side in answers]
        row = {"measure": measure}
        for place, label, side in zip(("first", "second"), labels, sides, strict=False):
            row |= {place: label, f"{place}_median": median(side)}
        made.append(row | {"ratio": ratios(*sides) if len(sides) == 2 else None})
    return made


def lines(made: Sequence[dict]) -> list[str]:
    """The rows as aligned text."""
    header = ("", "first", "second", "first / second (min..max)")
    cells = [(row["measure"], _side(row, "first"), _side(row, "second"), _ratio(row["ratio"])) for row in made]
    sizes = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    return [
        "  ".join(cell.ljust(size) for cell, size in zip(line, sizes, strict=True)).rstrip()
        for line in (header, *cells)
    ]


def _side(row: dict, place: str) -> str:
    if place not in row:
        return "-"
    value = row[f"{place}_median"]
    return f"{row[place]} {value:.4f}" if value < 10 else f"{row[place]} {value:,.0f}"


def _ratio(found: dict[str, float] | None) -> str:
    return f"{found['median']:.2f} ({found['min']:.2f}..{found['max']:.2f})" if found else "-"
