"""How much of the float32 similarity a shorter vector or a code keeps, by three named measures.

Spearman of pairwise cosines asks for the whole order, R10 for the nearest ten, the nDCG ratio for the task; the
cosine between a vector and its reconstruction is none of them and says little about search.
"""

import numpy as np

from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate.sts import spearman

SAMPLE = 500
"""Queries, and corpus rows, whose cosines are compared: 250,000 pairs."""


def cosine_spearman(
    reference: tuple[np.ndarray, np.ndarray], coded: tuple[np.ndarray, np.ndarray], *, seed: int = 0
) -> float:
    """Spearman's correlation of the cosines between queries and corpus rows, before and after.

    Each side is (queries [Q, D], corpus [N, D]); of more than 500 rows a seeded sample is taken, the same of both.
    Raises CallError where the two sides differ in their number of rows.
    """
    counts = [[len(vectors) for vectors in side] for side in (reference, coded)]
    if counts[0] != counts[1]:
        raise CallError(f"Both sides must have the same rows; found {counts[0]} before, {counts[1]} after")
    random = np.random.default_rng(seed)
    chosen = [random.permutation(count)[:SAMPLE] for count in counts[0]]
    before, after = (unit(queries[chosen[0]]) @ unit(corpus[chosen[1]]).T for queries, corpus in (reference, coded))
    return spearman(before.ravel(), after.ravel())


def neighbours_kept(reference: np.ndarray, ranked: np.ndarray) -> float:
    """Share of the reference's nearest rows [Q, k] found among `ranked` [Q, k]: R10 where k is 10; -1 is no row."""
    if reference.shape != ranked.shape or not reference.size:
        raise CallError(f"Expected two lists of equal shape [Q, k]; found {reference.shape} and {ranked.shape}")
    both = [len(set(one) & set(other) - {-1}) for one, other in zip(reference.tolist(), ranked.tolist(), strict=True)]
    return sum(both) / max(int(np.sum(reference >= 0)), 1)


def ndcg_ratio(reference: float, found: float) -> float | None:
    """nDCG after over nDCG before; None where there was nothing to keep."""
    return found / reference if reference else None
