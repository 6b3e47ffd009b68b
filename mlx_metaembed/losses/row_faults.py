"""What is wrong with the rows that a loss is given, before a run begins: labels and scores that teach nothing."""

from collections.abc import Mapping, Sequence

import numpy as np

Targets = Mapping[str, np.ndarray]


def binary_faults(targets: Targets, names: Sequence[str]) -> list[str]:
    """A line where scores are not 1 and 0, or all alike."""
    scores = targets["score"]
    if (wrong := np.flatnonzero((scores != 0) & (scores != 1))).size:
        return [
            f"row {wrong[0] + 1} has the score {scores[wrong[0]]:g}, and {wrong.size} of {len(scores)} rows are like "
            "it; expected 1 (alike) or 0 (not alike). Scores between them train with cosent, angle or mse"
        ]
    if (scores == scores[0]).all():
        return [f"all {len(scores)} rows have the label {scores[0]:g}; expected pairs with 1 and pairs with 0"]
    return []


def order_faults(targets: Targets, names: Sequence[str]) -> list[str]:
    """A line where all scores are alike: they have no order."""
    scores = targets["score"]
    if not (scores == scores[0]).all():
        return []
    return [f"all {len(scores)} rows have the score {scores[0]:g}; expected scores that differ: their order is learned"]


def cosine_faults(targets: Targets) -> list[str]:
    """A line where scores are none that cosines can be, or all alike."""
    scores = targets["score"]
    if (wrong := np.flatnonzero(abs(scores) > 1)).size:
        return [
            f"row {wrong[0] + 1} has the score {scores[wrong[0]]:g}, and {wrong.size} of {len(scores)} rows are like "
            f"it; a cosine is from -1 to 1. Divide the scores by {abs(scores).max():g}, or take cosent, which learns "
            "their order"
        ]
    return alike_faults(targets, "nothing says which texts are less alike")


def alike_faults(targets: Targets, why: str = "one number says all of them") -> list[str]:
    """A line where all scores are alike, and `why` they teach nothing."""
    scores = targets["score"]
    if not (scores == scores[0]).all():
        return []
    return [f"all {len(scores)} rows have the score {scores[0]:g}, and {why}; expected scores that differ"]


def label_faults(targets: Targets, names: Sequence[str]) -> list[str]:
    """A line where all texts have one label, or no label has two texts."""
    counts = np.bincount(targets["label"], minlength=len(names))
    if (counts > 0).sum() < 2:
        return [f"all {counts.sum()} texts have the label {names[int(counts.argmax())]!r}; expected two or more labels"]
    if counts.max() < 2:
        return [
            f"no label has two texts, {names[0]!r} as little as the other {len(names) - 1}: nothing says which texts "
            "are alike; expected labels that several texts share"
        ]
    return []


def alone(targets: Targets, names: Sequence[str]) -> str:
    """A note on labels that have one text only; empty where none has."""
    found = np.flatnonzero(np.bincount(targets["label"], minlength=len(names)) == 1)
    if not found.size:
        return ""
    shown = ", ".join(repr(names[at]) for at in found[:3]) + (", ..." if found.size > 3 else "")
    said = "label has" if found.size == 1 else "labels have"
    return f"{found.size} {said} one text only ({shown}); each has no positive and is a negative of the others alone"
