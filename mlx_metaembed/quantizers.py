"""Finite scalar quantization: each feature is rounded to one of a few levels, with no codebook to learn.

K features, levels L_0 .. L_{K-1}. The gradient passes straight through the rounding. arXiv:2309.15505, section 3
and appendix A.1.
"""

import math
from collections.abc import Sequence

import numpy as np

from mlx_metaembed.xp import Array, constant, namespace, stop_gradient


def fsq(x: Array, levels: Sequence[int]) -> Array:
    """Features [..., K], unbounded, to their quantized values in [-1, 1], same shape."""
    xp = namespace(x)
    half, offset, shift = (constant(values, x) for values in _bounds(levels))
    bounded = xp.tanh(x + shift) * half - offset
    rounded = bounded + stop_gradient(xp.round(bounded) - bounded)
    return rounded / constant(_half_width(levels), x)


def fsq_digits(values: np.ndarray, levels: Sequence[int]) -> np.ndarray:
    """Quantized values [..., K] as digits int64 in 0 .. L_k - 1 (NumPy)."""
    half_width = _half_width(levels)
    return np.rint(values * half_width + half_width).astype(np.int64)


def fsq_values(digits: np.ndarray, levels: Sequence[int]) -> np.ndarray:
    """Digits [..., K] back to quantized values in [-1, 1], float32 (NumPy): the inverse of `fsq_digits`."""
    half_width = _half_width(levels)
    return ((digits - half_width) / half_width).astype(np.float32)


def _half_width(levels: Sequence[int]) -> np.ndarray:
    return np.array([level // 2 for level in levels], np.float32)


def _bounds(levels: Sequence[int], slack: float = 1e-3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Half range, offset and shift of each feature: an even number of levels is centred between two integers."""
    half = [(level - 1) * (1 + slack) / 2 for level in levels]
    offset = [0.5 if level % 2 == 0 else 0.0 for level in levels]
    shift = [math.atanh(o / h) for o, h in zip(offset, half, strict=True)]
    return tuple(np.array(column, np.float32) for column in (half, offset, shift))
