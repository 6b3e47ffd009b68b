"""Distances of vectors with their gradients: each row to its own columns. T rows, N columns of each, D features."""

from mlx_metaembed.xp import EPSILON, Array, namespace


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
