"""Exact search by NumPy: every query against every row, in blocks of queries, so that memory stays bounded.

Equal scores are ordered by row, lowest first, everywhere: a result does not hang on how a sort is written.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.errors import CallError, nearest

BLOCK_FLOATS = 8_000_000
"""Scores held at a time: 32 MB."""
SHORT = 3
"""Times k: lines up to this are sorted whole and all at once, which is faster than looking for the k-th of each."""
SIMILARITIES = ("cosine", "dot", "euclidean", "manhattan")


def score_blocks(
    queries: np.ndarray, corpus: np.ndarray, *, similarity: str = "dot", floats: int = BLOCK_FLOATS
) -> Iterator[np.ndarray]:
    """Scores [b, N] of queries [Q, D] against a corpus [N, D], block after block; larger is nearer.

    Distances (euclidean, manhattan) come negated. Raises CallError for unequal widths, an unknown similarity, or a
    value that is no number.
    """
    check_similarity(similarity)
    queries, corpus = (_checked(name, array) for name, array in (("queries", queries), ("corpus", corpus)))
    if queries.shape[1] != corpus.shape[1]:
        raise CallError(f"Queries of {queries.shape[1]} dimensions can't search a corpus of {corpus.shape[1]}")
    if similarity == "cosine":
        queries, corpus = unit(queries), unit(corpus)
    squares = np.sum(corpus * corpus, axis=1) if similarity == "euclidean" else None
    step = max(1, floats // max(1, len(corpus)))
    for start in range(0, len(queries), step):
        block = queries[start : start + step]
        if similarity == "manhattan":
            yield np.stack([-np.abs(corpus - query).sum(axis=1) for query in block])
        elif squares is not None:
            squared = np.sum(block * block, axis=1, keepdims=True) - 2 * (block @ corpus.T) + squares
            yield -np.sqrt(np.maximum(squared, 0))
        else:
            yield block @ corpus.T


def top(scores: np.ndarray, k: int) -> np.ndarray:
    """Rows of the k largest of each line of scores [b, N], best first: int64 [b, min(k, N)]."""
    k = min(k, scores.shape[1])
    if k == 0:
        return np.empty((len(scores), 0), np.int64)
    if scores.shape[1] <= SHORT * k:
        return np.argsort(-scores, axis=1, kind="stable")[:, :k]
    least = np.partition(scores, -k, axis=1)[:, -k]
    ranked = np.empty((len(scores), k), np.int64)
    for line, (found, bound) in enumerate(zip(scores, least, strict=True)):
        rows = np.flatnonzero(found >= bound)
        ranked[line] = rows[np.argsort(-found[rows], kind="stable")[:k]]
    return ranked


def rankings(blocks: Iterable[np.ndarray], k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k best of each query over score blocks [b, N]: rows int64 [Q, k] and their scores float32 [Q, k]."""
    rows, scores = [], []
    for block in blocks:
        rows.append(top(block, k))
        scores.append(np.take_along_axis(block, rows[-1], axis=1).astype(np.float32))
    if not rows:
        return np.empty((0, k), np.int64), np.empty((0, k), np.float32)
    return np.concatenate(rows), np.concatenate(scores)


def check_similarity(similarity: str) -> None:
    if similarity not in SIMILARITIES:
        raise CallError(
            f"No similarity {similarity!r}{nearest(similarity, SIMILARITIES) or '.'} One of {', '.join(SIMILARITIES)}"
        )


def _checked(name: str, vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors)
    if vectors.ndim != 2:
        raise CallError(f"{name}: expected vectors [n, D], found an array of shape {list(vectors.shape)}")
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(wrong):
        raise CallError(f"{name}: {len(wrong):,} vectors hold NaN or infinity, the first at row {wrong[0]}")
    return vectors.astype(np.float32, copy=False)
