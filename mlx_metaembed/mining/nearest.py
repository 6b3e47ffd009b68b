"""The k nearest rows of each query, exact, in blocks of the corpus: no block of scores is larger than the budget says.

Q queries, N rows of the corpus, D features. Equal scores are ordered by row, lowest first, as in search/exact.py.
"""

from collections.abc import Iterable

import numpy as np

from mlx_metaembed.search import exact

MOST_FLOATS = 2**26
"""Scores held at a time at most, 256 MB: a product of this size runs at a BLAS's full speed."""


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
        if rows.shape[1] < k:
            best = exact.top(found, k)
            rows, scores = _merged(rows, scores, best + first, np.take_along_axis(found, best, axis=1), k)
        else:
            _replace(rows, scores, found, first)
        first += len(block)
    return rows, scores


def _merged(
    rows: np.ndarray, scores: np.ndarray, more_rows: np.ndarray, more_scores: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k best of both; what was there comes first among equals, since its rows are lower."""
    rows, scores = np.concatenate([rows, more_rows], axis=1), np.concatenate([scores, more_scores], axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)


def _replace(rows: np.ndarray, scores: np.ndarray, found: np.ndarray, first: int) -> None:
    """Take into rows and scores [Q, k], in place, what a block's scores [Q, n] have that is better than the worst."""
    better = found > scores[:, -1:]
    lines, columns = np.nonzero(better)
    if not len(lines):
        return
    starts = np.searchsorted(lines, np.arange(len(rows) + 1))
    for line in np.unique(lines):
        new = columns[starts[line] : starts[line + 1]]
        both = np.concatenate([scores[line], found[line, new]])
        order = np.argsort(-both, kind="stable")[: rows.shape[1]]
        rows[line], scores[line] = np.concatenate([rows[line], new + first])[order], both[order]
