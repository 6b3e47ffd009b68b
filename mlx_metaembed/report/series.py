"""One quantity over the steps of a run, out of the rows of metrics.jsonl: read, smoothed, thinned.

A value that is missing, NaN or infinite is NaN here: a gap in the curve, counted, never an error.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate

from mlx_metaembed.report.units import finite

_LAST_STEP = 1e12

Points = list[tuple[float, float]]
"""(step, value), by step; the value may be NaN."""


def series(metrics: Sequence[Mapping[str, object]], key: str) -> Points:
    """The points of `key`; a row without a step takes its place as one, and of two rows of one step (a resumed run)
    the later counts. Empty where no row has a finite value; rows without the key are no points."""
    found: dict[float, float] = {}
    for place, row in enumerate(metrics, 1):
        if row.get(key) is None:
            continue
        step, value = finite(row.get("step")), finite(row[key])
        found[place if step is None or abs(step) > _LAST_STEP else step] = math.nan if value is None else value
    return sorted(found.items()) if any(map(math.isfinite, found.values())) else []


def values(points: Points) -> list[float]:
    """The finite values."""
    return [value for _, value in points if math.isfinite(value)]


def ends(points: Points) -> tuple[float, float]:
    """The means of the finite values over the first tenth of them and over the last."""
    found = values(points)
    some = max(len(found) // 10, 1)
    return sum(found[:some]) / some, sum(found[-some:]) / some


def smooth(points: Points, reach: int) -> Points:
    """Each value as the straight line through it and `reach` neighbours on both sides has it: no lag, fair at the ends.

    Nothing goes beyond the range of the values. A gap stays a gap and moves nothing. The time is linear in the points,
    by running sums.
    """
    # Steps count from the first point, so that the squares stay small.
    origin = points[0][0]
    terms = [
        (1.0, step - origin, (step - origin) ** 2, value, (step - origin) * value)
        if math.isfinite(value)
        else (0.0,) * 5
        for step, value in points
    ]
    sums = [list(accumulate((term[part] for term in terms), initial=0.0)) for part in range(5)]
    low, high = min(values(points)), max(values(points))
    smoothed = []
    for at, (step, value) in enumerate(points):
        start, stop = max(0, at - reach), min(len(points), at + reach + 1)
        count, x, xx, y, xy = (total[stop] - total[start] for total in sums)
        if math.isfinite(value):
            spread = count * xx - x * x
            slope = (count * xy - x * y) / spread if count > 2 and spread > 0 else 0.0
            value = min(max((y + slope * (count * (step - origin) - x)) / count, low), high)
        smoothed.append((step, value))
    return smoothed


def thin(points: Points, most: int) -> Points:
    """At most about `most` points that look the same drawn: the ends, the least and the greatest of each stretch."""
    if len(points) <= most:
        return points
    stretch = math.ceil(2 * len(points) / most)
    kept = [points[0]]
    for start in range(1, len(points) - 1, stretch):
        part = points[start : min(start + stretch, len(points) - 1)]
        real = [place for place, (_, value) in enumerate(part) if math.isfinite(value)]
        low = min(real, key=lambda place: part[place][1], default=0)
        high = max(real, key=lambda place: part[place][1], default=0)
        kept += [part[place] for place in sorted({low, high})]
    return [*kept, points[-1]]
