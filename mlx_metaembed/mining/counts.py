"""What is counted while rows are made, part by part, and its sum."""

from collections.abc import Sequence

NUMBERS = ("rows", "negatives", "rows_left_out", "rows_with_fewer")
SCORES = ("positive_score", "negative_score")


def none() -> dict:
    """Nothing counted yet."""
    return dict.fromkeys(NUMBERS, 0) | {"dropped": {}} | {name: [] for name in SCORES}


def of_scores(scores: Sequence[float]) -> list:
    """How many, their sum, the least and the largest; empty of none."""
    return [len(scores), float(sum(scores)), float(min(scores)), float(max(scores))] if len(scores) else []


def added(one: dict, other: dict) -> dict:
    """The sum of two counts."""
    found = {name: one[name] + other[name] for name in NUMBERS}
    names = dict.fromkeys([*one["dropped"], *other["dropped"]])
    found["dropped"] = {name: one["dropped"].get(name, 0) + other["dropped"].get(name, 0) for name in names}
    for name in SCORES:
        a, b = one[name], other[name]
        both = [a[0] + b[0], a[1] + b[1], min(a[2], b[2]), max(a[3], b[3])] if a and b else a or b
        found[name] = both
    return found


def summary(scores: Sequence[float]) -> dict[str, float]:
    """Mean, min and max of what `of_scores` has counted."""
    return {"mean": scores[1] / scores[0], "min": scores[2], "max": scores[3]} if scores else {}
