"""Ratios of paired runs, and the table that shows them."""

from collections.abc import Sequence
from statistics import median


def ratios(first: Sequence[float], second: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest of first / second, pair by pair."""
    each = [one / other for one, other in zip(first, second, strict=True)]
    return {"median": median(each), "min": min(each), "max": max(each)}


def rows(
    labels: tuple[str, str], measures: Sequence[str], answers: tuple[Sequence[dict], Sequence[dict]]
) -> list[dict]:
    """A row a measure: both medians and the ratio, as the table and the JSON have them."""
    made = []
    for measure in measures:
        first, second = ([answer[measure] for answer in side] for side in answers)
        made.append(
            {
                "measure": measure,
                "first": labels[0],
                "second": labels[1],
                "first_median": median(first),
                "second_median": median(second),
                "ratio": ratios(first, second),
            }
        )
    return made


def lines(made: Sequence[dict]) -> list[str]:
    """The rows as aligned text."""
    header = ("", "first", "second", "first / second (min..max)")
    cells = [
        (
            row["measure"],
            f"{row['first']} {_figure(row['first_median'])}",
            f"{row['second']} {_figure(row['second_median'])}",
            f"{row['ratio']['median']:.2f} ({row['ratio']['min']:.2f}..{row['ratio']['max']:.2f})",
        )
        for row in made
    ]
    sizes = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    return [
        "  ".join(cell.ljust(size) for cell, size in zip(line, sizes, strict=True)).rstrip()
        for line in (header, *cells)
    ]


def _figure(value: float) -> str:
    return f"{value:.4f}" if value < 10 else f"{value:,.0f}"
