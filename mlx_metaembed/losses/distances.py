"""Distances of vectors with their gradients: of each row to its own columns, and of all rows to all columns.

R rows, C columns, T rows of a tile, N columns of each row's own, D features.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mlx_metaembed.heads.output import Output
from mlx_metaembed.losses.scorers import DotProducts, Scorer, scorer
from mlx_metaembed.xp import EPSILON, Array, namespace, relu


def cosine_distance(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """1 - cosine [T, N] of x [T, 1, D] and y [T, N, D], and its gradients at x and y, [T, N, D] both."""
    xp = namespace(x)
    per_x, per_y = (1 / xp.sqrt(xp.sum(each * each, axis=-1, keepdims=True) + EPSILON) for each in (x, y))
    x, y = x * per_x, y * per_y
    cosine = xp.sum(x * y, axis=-1, keepdims=True)
    return 1 - xp.squeeze(cosine, -1), (cosine * x - y) * per_x, (cosine * y - x) * per_y


def euclidean_distance(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """The length [T, N] of x [T, 1, D] - y [T, N, D] and its gradients at both, which are finite where it is 0."""
    xp = namespace(x)
    difference = x - y
    length = xp.sqrt(xp.sum(difference * difference, axis=-1, keepdims=True) + EPSILON)
    return xp.squeeze(length, -1), difference / length, -difference / length


DISTANCES = {"cosine": cosine_distance, "euclidean": euclidean_distance}


@dataclass(frozen=True)
class EuclideanDistances(DotProducts):
    """Rows [R, D] and columns [C, D] by the opposite of their distance, so that the nearest score highest."""

    def tile(self, part: slice, rows: Array, columns: Array) -> tuple[Array, Callable[[Array], tuple[Array, Array]]]:
        xp = namespace(rows)
        both = xp.sum(rows * rows, axis=1, keepdims=True) + xp.sum(columns * columns, axis=1, keepdims=True).T
        squares = relu(both - 2 * xp.matmul(rows, columns.T))
        lengths = xp.sqrt(squares + EPSILON)
        # What is left of equal vectors is rounding: their distance has no direction.
        apart = squares > 1e-6 * both

        def back(at: Array) -> tuple[Array, Array]:
            at = xp.where(apart, at / lengths, xp.zeros_like(at))
            at_rows = xp.matmul(at, columns) - rows * xp.sum(at, axis=1, keepdims=True)
            return at_rows, xp.matmul(at.T, rows) - columns * xp.sum(at, axis=0, keepdims=True).T

        return -lengths, back


def nearness(texts: Output, distance: str) -> Scorer:
    """The scorer of texts against each other: vectors by the opposite of a distance, up to what all have in common,
    other outputs by their scores."""
    if texts.gives in ("vector", "code") and distance == "euclidean":
        return EuclideanDistances(texts.values, texts.values)
    return scorer(texts, [texts])
