"""The k nearest rows of each query, exact, in blocks of the corpus: no block of scores is larger than the budget says.

Q queries, N rows of the corpus, D features. Equal scores are ordered by row, lowest first, as in search/exact.py.
"""

from collections.abc import Iterable

import numpy as np

from mlx_metaembed.search import exact

MOST_FLOATS = 2**26
"""Scores held at a time at most, 256 MB: a product of this size runs at a BLAS's full speed."""

MANY = 4
"""Times k: more of a block's rows are cut to their k best before they are put to the others."""


def block_rows(queries: int, memory: int) -> int:
    """Rows of the corpus whose scores with so many queries take a sixteenth of the memory, in bytes."""
    return max(1, min(MOST_FLOATS, memory // 64) // max(1, queries))


def nearest(
    queries: np.ndarray, blocks: Iterable[np.ndarray], k: int, similarity: str
) -> tuple[np.ndarray, np.ndarray]:
    """Rows int64 [Q, k] and scores float32 [Q, k] of the best, best first, over blocks [n, D] of a corpus in its order.

    Fewer than k columns where the corpus has fewer rows.
    """
    rows, scores = np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
    first = 0
    for block in blocks:
        found = next(exact.score_blocks(queries, block, similarity=similarity, floats=len(queries) * len(block)))
        columns, better = _better(found, scores, k)
        rows, scores = merged(rows, scores, columns + first, better, k)
        first += len(block)
    return rows, scores


def merged(
    rows: np.ndarray, scores: np.ndarray, more_rows: np.ndarray, more_scores: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k best of both; what was there comes first among equals, since its rows are lower."""
    rows, scores = np.concatenate([rows, more_rows], axis=1), np.concatenate([scores, more_scores], axis=1)
    best = exact.top(scores, k)
    return np.take_along_axis(rows, best, axis=1), np.take_along_axis(scores, best, axis=1)


def _better(found: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns int64 [Q, m] and scores of what a block's scores [Q, n] have above the worst of `scores` [Q, <= k].

    Where a query has fewer than others, -infinity follows; where one has many, they are the k best of each.
    """
    if scores.shape[1] == k:
        # Flat: NumPy looks for what is true along one axis several times as fast as along two.
        lines, columns = np.divmod(np.flatnonzero(found > scores[:, -1:]), found.shape[1])
        counts = np.bincount(lines, minlength=len(found))
        most = int(counts.max(initial=0))
        if most <= MANY * k:
            places = np.arange(len(lines)) - np.repeat(np.cumsum(counts) - counts, counts)
            rows, better = np.zeros((len(found), most), np.int64), np.full((len(found), most), -np.inf, np.float32)
            rows[lines, places], better[lines, places] = columns, found[lines, columns]
            return rows, better
    best = exact.top(found, k)
    return best, np.take_along_axis(found, best, axis=1)
