"""Finite scalar quantization: each feature is rounded to one of a few levels, with no codebook to learn.

K features, levels L_0 .. L_{K-1}. The gradient passes straight through the rounding. arXiv:2309.15505, section 3
and appendix A.1.
"""

import math
from collections.abc import Sequence

import numpy as np

from mlx_metaembed.xp import Array, constant, namespace, stop_gradient

NOISE = 0.25
"""The most that noise moves a feature before it is rounded, in steps between two levels."""


def fsq(x: Array, levels: Sequence[int], noise: Array | None = None) -> Array:
    """Features [..., K], unbounded, to their quantized values in [-1, 1], same shape.

    `noise` [..., K], within NOISE, is added before the rounding, so that in training a feature near to a border is on
    either side of it.
    """
    xp = namespace(x)
    half, offset, shift = (constant(values, x) for values in _bounds(levels))
    bounded = xp.tanh(x + shift) * half - offset
    moved = bounded if noise is None else bounded + noise
    rounded = bounded + stop_gradient(xp.round(moved) - bounded)
    width, centre = (constant(values, x) for values in _places(levels))
    return (rounded - centre) / width


def fsq_digits(values: np.ndarray, levels: Sequence[int]) -> np.ndarray:
    """Quantized values [..., K] as digits int64 in 0 .. L_k - 1 (NumPy)."""
    width, centre = _places(levels)
    return np.rint(values * width + centre + _first(levels)).astype(np.int64)


def fsq_values(digits: np.ndarray, levels: Sequence[int]) -> np.ndarray:
    """Digits [..., K] back to quantized values in [-1, 1], float32 (NumPy): the inverse of `fsq_digits`."""
    width, centre = _places(levels)
    return ((digits - _first(levels) - centre) / width).astype(np.float32)


def _first(levels: Sequence[int]) -> np.ndarray:
    """The integer of digit 0, negated."""
    return np.array([level // 2 for level in levels], np.float32)


def _places(levels: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """What a feature's integers are divided by, and what is 0 among them: with two levels the values are -1 and 1."""
    width = [level // 2 if level > 2 else 0.5 for level in levels]
    centre = [0.0 if level > 2 else -0.5 for level in levels]
    return np.array(width, np.float32), np.array(centre, np.float32)


def _bounds(levels: Sequence[int], slack: float = 1e-3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Half range, offset and shift of each feature: an even number of levels is centred between two integers.

    The shift takes 0 to an integer. With two levels nearly all features would be there: these have none, and the sign
    decides.
    """
    half = [(level - 1) * (1 + slack) / 2 for level in levels]
    offset = [0.5 if level % 2 == 0 else 0.0 for level in levels]
    shift = [math.atanh(o / h) if level > 2 else 0.0 for o, h, level in zip(offset, half, levels, strict=True)]
    return tuple(np.array(column, np.float32) for column in (half, offset, shift))
