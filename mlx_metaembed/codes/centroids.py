"""K-means for codebooks: some steps of Lloyd's from rows of the sample, quick rather than perfect.

A start by k-means++ costs more than it gives with 256 centroids of thousands of rows. n rows, D features, k centroids.
"""

import numpy as np

from mlx_metaembed.errors import CallError

STEPS = 10
FLOATS = 4_000_000
"""Products held at a time: 16 MB."""


def require(count: int, wanted: int, what: str) -> None:
    """Raise CallError where there are fewer vectors than centroids to place."""
    if count < wanted:
        raise CallError(
            f"{what} has {wanted:,} centroids, which need at least as many vectors to fit on, better 40 times as many; "
            f"found {count:,}. Give more texts, or take a kind without centroids: --kind scalar"
        )


def fitted(rows: np.ndarray, k: int, random: np.random.Generator, steps: int = STEPS) -> np.ndarray:
    """Centroids float32 [k, D] of rows [n, D], n >= k. One that nothing is near takes a row far from its own."""
    centroids = np.array(rows[np.sort(random.choice(len(rows), k, replace=False))], np.float32)
    for _ in range(steps):
        centroids = moved(rows, centroids)
    return centroids


def moved(rows: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Centroids [k, D] after one of Lloyd's steps."""
    near, squares = nearest(rows, centroids)
    counts = np.bincount(near, minlength=len(centroids))
    found = np.where(counts[:, None] > 0, sums(rows, near, len(centroids)) / np.maximum(counts, 1)[:, None], centroids)
    found = found.astype(np.float32)
    if len(empty := np.flatnonzero(counts == 0)):
        found[empty] = rows[np.argsort(-squares, kind="stable")[: len(empty)]]
    return found


def sums(rows: np.ndarray, near: np.ndarray, k: int) -> np.ndarray:
    """What the rows of each centroid add up to, [k, D]; `near` has each row's."""
    counts = np.bincount(near, minlength=k)
    held = np.flatnonzero(counts)
    found = np.zeros((k, rows.shape[1]), np.float32)
    if len(held):
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])[held]
        found[held] = np.add.reduceat(rows[np.argsort(near, kind="stable")], starts, axis=0)
    return found


def nearest(rows: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest centroid of each row, int64 [n], and its squared distance, float32 [n]."""
    lengths, step = np.sum(centroids * centroids, axis=1) / 2, max(1, FLOATS // len(centroids))
    found, squares = np.empty(len(rows), np.int64), np.empty(len(rows), np.float32)
    for start in range(0, len(rows), step):
        part = np.asarray(rows[start : start + step], np.float32)
        products = part @ centroids.T - lengths
        at = found[start : start + step] = products.argmax(axis=1)
        best = np.take_along_axis(products, at[:, None], axis=1)[:, 0]
        squares[start : start + step] = np.maximum(np.sum(part * part, axis=1) - 2 * best, 0)
    return found, squares


def require_codes(codes: np.ndarray, k: int) -> None:
    """Raise CallError where a byte of codes [N, B] names a centroid past the last of k."""
    if k < 256 and len(codes) and int(codes.max()) >= k:
        raise CallError(f"The bytes are no codes of this codec: one is {int(codes.max())}, with {k} centroids a byte")
