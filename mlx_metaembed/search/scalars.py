"""What an index stores of a vector: f32, f16, a byte a dimension (i8) or a bit (b1), and the scores they give.

usearch would scale floats to i8 by a fixed 127, which leaves a unit vector of 384 dimensions about 40 of the 255
steps; each vector is scaled by its own largest component here. Neither i8 nor b1 keeps a vector's length, so both
are for cosine only.
"""

import numpy as np

from mlx_metaembed.codes import binary
from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.errors import CallError, nearest

DTYPES = ("f16", "f32", "i8", "b1")
METRICS = {"cosine": "cos", "dot": "ip", "euclidean": "l2sq"}
"""The model folder's word for a similarity, and usearch's."""


def check(dtype: str, metric: str) -> None:
    """Raise CallError for a dtype or a metric that an index can't have, or that do not go together."""
    if dtype not in DTYPES:
        raise CallError(f"dtype {dtype!r} is not known{nearest(dtype, DTYPES) or '.'} Known: {', '.join(DTYPES)}")
    if metric not in METRICS:
        raise CallError(f"An index can't be built for similarity {metric!r}. Known: {', '.join(METRICS)}")
    if dtype in ("i8", "b1") and metric != "cosine":
        raise CallError(f"dtype {dtype} keeps no lengths, and the model compares by {metric}; choose f16 or f32")


def stored(vectors: np.ndarray, dtype: str) -> np.ndarray:
    """Float vectors [n, D] as usearch takes them: float32 [n, D], int8 [n, D], or uint8 [n, ceil(D / 8)]."""
    if dtype == "b1":
        return binary.pack(vectors)
    if dtype == "i8":
        largest = np.abs(vectors).max(axis=1, keepdims=True)
        return np.rint(vectors / np.where(largest == 0, 1, largest) * 127).astype(np.int8)
    # float16 is usearch's own conversion: it rounds, and takes float32 in.
    return np.ascontiguousarray(vectors, np.float32)


def restored(found: np.ndarray, dtype: str, dimensions: int) -> np.ndarray:
    """What an index holds [n, ...] as float32 [n, D]; unit length for i8 and b1."""
    if dtype == "b1":
        return unit(binary.signs(found, dimensions))
    return unit(found) if dtype == "i8" else np.asarray(found, np.float32)


def scores(distances: np.ndarray, metric: str) -> np.ndarray:
    """usearch's distances as scores, larger is nearer: a cosine, a dot product, or minus the distance."""
    if metric == "euclidean":
        return -np.sqrt(np.maximum(distances, 0))
    return 1 - distances
