"""The learning rate's course: a linear warm-up, then linear, cosine or no decay."""

import math


def factor(schedule: str, *, step: int, steps: int, warmup_ratio: float) -> float:
    """The share of the peak rate at step `step` of `steps`, counted from 1; the last decaying step is above 0."""
    warmup = math.ceil(steps * warmup_ratio)
    if step <= warmup:
        return step / warmup
    left = (steps - step + 1) / (steps - warmup + 1)
    if schedule == "linear":
        return left
    if schedule == "cosine":
        return (1 - math.cos(math.pi * left)) / 2
    return 1.0
