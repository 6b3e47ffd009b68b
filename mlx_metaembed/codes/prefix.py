"""Vectors cut to a width, as Matryoshka training means it: the first components, unit length again.

A row of zeros stays zero, so that no cut divides by nothing.
"""

import numpy as np

from mlx_metaembed.errors import CallError


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows [n, D] at length 1, float32; a row of zeros stays zero."""
    vectors = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths == 0, np.float32(1), lengths)


def cut(vectors: np.ndarray, width: int, *, renormalize: bool = True) -> np.ndarray:
    """The first `width` components of [n, D], float32, at length 1 unless told otherwise. Raises CallError past D."""
    if not 1 <= width <= vectors.shape[1]:
        raise CallError(f"Vectors of {vectors.shape[1]} dimensions can't be cut to {width}")
    kept = np.ascontiguousarray(vectors[:, :width], np.float32)
    return unit(kept) if renormalize else kept
