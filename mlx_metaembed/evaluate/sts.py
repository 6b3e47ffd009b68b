"""Semantic textual similarity: do cosines order sentence pairs as people's scores do?

Spearman's correlation is the number everybody reports; Pearson's stands beside it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.data.rows import Scored
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate.coded import Coded
from mlx_metaembed.evaluate.judgement import Judgement, Weights
from mlx_metaembed.evaluate.task import Side, Task

FIGURES = ("spearman", "pearson")


def measure(left: np.ndarray, right: np.ndarray, gold: Sequence[float]) -> dict[str, float]:
    """Correlations of the cosines of pairs [n, D], [n, D] with gold scores [n]: `{"spearman", "pearson"}` in -1..1.

    Raises CallError as `judge` does.
    """
    return judge(left, right, gold).figures(None)


def judge(left: np.ndarray, right: np.ndarray, gold: Sequence[float]) -> Judgement:
    """The same, pair by pair. Raises CallError for unequal counts, and as `require_different` does."""
    gold = np.asarray(gold, np.float64)
    if not len(left) == len(right) == len(gold):
        raise CallError(
            f"Expected a score for each pair; found {len(left)} and {len(right)} vectors, {len(gold)} scores"
        )
    require_different(gold)
    cosines = np.sum(unit(left) * unit(right), axis=1, dtype=np.float64)
    found, given = _Ranked(cosines), _Ranked(gold)

    def figures(weights: Weights) -> dict[str, float]:
        return {
            "spearman": pearson(found.ranks(weights), given.ranks(weights), weights),
            "pearson": pearson(cosines, gold, weights),
        }

    return Judgement(len(gold), figures)


def require_different(gold: Sequence[float]) -> None:
    """Raise CallError for fewer than two pairs, or scores that are all equal."""
    if len(set(map(float, gold))) < 2:
        raise CallError(f"A correlation needs at least 2 pairs of different score; found {len(gold)} of one score")


def pearson(left: np.ndarray, right: np.ndarray, weights: Weights = None) -> float:
    """Pearson's correlation of two columns [n]; 0 where one of them is constant, which tells nothing of the other."""
    left, right = (
        np.asarray(column, np.float64) - np.average(np.asarray(column, np.float64), weights=weights)
        for column in (left, right)
    )
    by = (left, right) if weights is None else (weights * left, weights * right)
    scale = np.sqrt(by[0] @ left) * np.sqrt(by[1] @ right)
    return float(np.clip(by[0] @ right / scale, -1, 1)) if scale > 0 else 0.0


def spearman(left: np.ndarray, right: np.ndarray) -> float:
    """Spearman's correlation of two columns [n]: Pearson's of their ranks, ties sharing their average."""
    return pearson(ranks(left), ranks(right))


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks [n] from 1 for the smallest; equal values share the average of the ranks they cover."""
    return _Ranked(values).ranks(None)


class _Ranked:
    """Values sorted once, so that the ranks of any draw of them take no sort."""

    def __init__(self, values: np.ndarray) -> None:
        _, self._which, self._counts = np.unique(values, return_inverse=True, return_counts=True)

    def ranks(self, weights: Weights) -> np.ndarray:
        """Ranks [n] where each value stands there as often as its weight says."""
        counts = self._counts
        if weights is not None:
            counts = np.bincount(self._which, weights=weights, minlength=len(counts))
        return (np.cumsum(counts) - (counts - 1) / 2)[self._which]


@dataclass(frozen=True)
class StsTask(Task):
    """Two sentences and a score."""

    rows: Scored
    name = "sts"
    takes = "sentence1, sentence2, score"

    @classmethod
    def names_of(cls, ks: Sequence[int]) -> tuple[str, ...]:
        return FIGURES

    @property
    def counts(self) -> dict[str, int]:
        return {"pairs": len(self.rows.scores)}

    @property
    def sides(self) -> tuple[Side, Side]:
        return (self.rows.sentence1, None), (self.rows.sentence2, None)

    def judge(self, coded: Coded, wanted: Collection[str]) -> Judgement:
        return judge(coded.queries, coded.stored, self.rows.scores)

    def require_measurable(self) -> None:
        require_different(self.rows.scores)
