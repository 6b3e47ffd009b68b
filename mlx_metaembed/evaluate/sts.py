"""Semantic textual similarity: do cosines order sentence pairs as people's scores do?

Spearman's correlation is the number everybody reports; Pearson's stands beside it.
"""

from collections.abc import Sequence

import numpy as np

from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.errors import CallError


def measure(left: np.ndarray, right: np.ndarray, gold: Sequence[float]) -> dict[str, float]:
    """Correlations of the cosines of pairs [n, D], [n, D] with gold scores [n]: `{"spearman", "pearson"}` in -1..1.

    Raises CallError for fewer than two pairs, unequal counts, or gold scores that are all equal.
    """
    gold = np.asarray(gold, np.float64)
    if not len(left) == len(right) == len(gold):
        raise CallError(
            f"Expected a score for each pair; found {len(left)} and {len(right)} vectors, {len(gold)} scores"
        )
    if len(gold) < 2 or np.all(gold == gold[0]):
        raise CallError(f"A correlation needs at least 2 pairs of different score; found {len(gold)} of one score")
    cosines = np.sum(unit(left) * unit(right), axis=1, dtype=np.float64)
    return {"spearman": spearman(cosines, gold), "pearson": pearson(cosines, gold)}


def pearson(left: np.ndarray, right: np.ndarray) -> float:
    """Pearson's correlation of two columns [n]; 0 where one of them is constant, which tells nothing of the other."""
    left, right = (np.asarray(column, np.float64) - np.mean(column, dtype=np.float64) for column in (left, right))
    scale = np.sqrt(left @ left) * np.sqrt(right @ right)
    return float(np.clip(left @ right / scale, -1, 1)) if scale > 0 else 0.0


def spearman(left: np.ndarray, right: np.ndarray) -> float:
    """Spearman's correlation of two columns [n]: Pearson's of their ranks, ties sharing their average."""
    return pearson(ranks(left), ranks(right))


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks [n] from 1 for the smallest; equal values share the average of the ranks they cover."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[which]
