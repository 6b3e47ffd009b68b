"""K-means by Lloyd's steps from k-means++ starts (Arthur and Vassilvitskii 2007), the best of some starts.

n vectors of D dimensions, k clusters.
"""

import numpy as np

STARTS, STEPS = 4, 100
FLOATS = 8_000_000
"""Distances held at a time: 32 MB."""


def clusters(vectors: np.ndarray, k: int, *, seed: int = 0) -> np.ndarray:
    """The number of each vector's cluster, int64 [n], of vectors [n, D]; at most k different ones."""
    vectors = np.asarray(vectors, np.float32)
    random = np.random.default_rng(seed)
    tried = [_descended(vectors, _start(vectors, k, random)) for _ in range(STARTS)]
    return min(tried, key=lambda found: found[1])[0]


def _start(vectors: np.ndarray, k: int, random: np.random.Generator) -> np.ndarray:
    """k vectors [k, D], each drawn by its squared distance from the nearest before it."""
    chosen = [int(random.integers(len(vectors)))]
    least = _nearest(vectors, vectors[chosen])[1]
    while len(chosen) < k:
        total = least.sum()
        chosen.append(int(random.choice(len(vectors), p=least / total if total > 0 else None)))
        least = np.minimum(least, _nearest(vectors, vectors[chosen[-1:]])[1])
    return vectors[chosen]


def _descended(vectors: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, float]:
    """Clusters [n] and the sum of squared distances, once no vector changes its cluster."""
    found = np.full(len(vectors), -1)
    for _ in range(STEPS):
        nearest, squares = _nearest(vectors, centres)
        if np.array_equal(nearest, found):
            break
        found = nearest
        order = np.argsort(found, kind="stable")
        # A cluster that nothing is near to stays where it is.
        held, first, counts = np.unique(found[order], return_index=True, return_counts=True)
        centres = centres.copy()
        centres[held] = np.add.reduceat(vectors[order], first, axis=0) / counts[:, None]
    return found, float(squares.sum())


def _nearest(vectors: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest centre of each vector, int64 [n], and its squared distance, float64 [n]."""
    lengths, step = np.sum(centres * centres, axis=1), max(1, FLOATS // len(centres))
    found, least = [], []
    for start in range(0, len(vectors), step):
        part = vectors[start : start + step]
        squares = np.sum(part * part, axis=1)[:, None] - 2 * (part @ centres.T) + lengths
        found.append(np.argmin(squares, axis=1))
        least.append(np.maximum(squares.min(axis=1), 0).astype(np.float64))
    return np.concatenate(found), np.concatenate(least)
