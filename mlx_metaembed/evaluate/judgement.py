"""What a task finds: its figures over all its units, and over the same units drawn again, which gives intervals.

A unit is what was sampled from the world: a query, a pair, a text.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Weights = np.ndarray | None
"""How often each unit counts, int64 [units]; None is once each."""


@dataclass(frozen=True)
class Judgement:
    """`figures(weights)` gives the figures by name; one that such weights leave undefined is NaN.

    `ranked` has the corpus rows of each query, best first, where the task ranks a corpus.
    """

    units: int
    figures: Callable[[Weights], dict[str, float]]
    ranked: np.ndarray | None = None


def of_means(values: Mapping[str, np.ndarray], ranked: np.ndarray | None = None) -> Judgement:
    """The judgement whose figures are means over the units of values [units], by name."""
    table = np.stack(list(values.values()), axis=1)

    def figures(weights: Weights) -> dict[str, float]:
        found = np.mean(table, axis=0) if weights is None else weights @ table / weights.sum()
        return dict(zip(values, map(float, found), strict=True))

    return Judgement(len(table), figures, ranked)
