"""Adafactor: the second moment of a matrix as one number a row and one a column, and no first moment.

The form that fine-tuning uses: a given learning rate, no momentum, updates clipped by their root mean square.
"""

import math
from collections.abc import Sequence

import numpy as np

from mlx_metaembed.xp import Array, constant, namespace

EPSILON = 1e-30
CLIP = 1.0
"""The largest root mean square of an update, before the learning rate."""
DECAY = 0.8
BY_ROWS = False
KERNEL = ""


def initial(parameter: Array) -> list[Array]:
    """Zeros for the rows and the columns of the last two axes; for a vector, one a number."""
    *_, rows, columns = (1, 1, *parameter.shape)
    lead = tuple(parameter.shape[:-2])
    shapes = [(*lead, rows, 1), (*lead, 1, columns)] if len(parameter.shape) > 1 else [tuple(parameter.shape)]
    return [constant(np.zeros(shape, np.float32), parameter) for shape in shapes]


def corrections(step: int) -> list[float]:
    """How much of the moments stays at step `step`, counted from 1."""
    return [1 - step**-DECAY]


def apply(parameter: Array, gradient: Array, state: Sequence[Array], scalars: Array) -> tuple[Array, list[Array]]:
    """The parameter and its factored second moment after a step. arXiv:1804.04235, algorithms 4 and 5."""
    xp = namespace(parameter)
    rate, keep, decay = (scalars[at] for at in range(3))
    square = gradient * gradient + EPSILON
    if len(state) == 1:
        new = [state[0] + (1 - decay) * (square - state[0])]
        update = gradient / xp.sqrt(new[0])
    else:
        rows, columns = (
            each + (1 - decay) * (xp.mean(square, axis=axis, keepdims=True) - each)
            for each, axis in zip(state, (-1, -2), strict=True)
        )
        new = [rows, columns]
        update = gradient / xp.sqrt(rows / xp.mean(rows, axis=-2, keepdims=True)) / xp.sqrt(columns)
    size = xp.sqrt(xp.mean(update * update)) / CLIP
    return parameter * keep - rate * update / xp.where(size > 1, size, size * 0 + 1), new


def state_bytes(shape: Sequence[int]) -> int:
    """Bytes of the state of a parameter."""
    if len(shape) < 2:
        return 4 * math.prod(shape)
    return 4 * math.prod(shape[:-2]) * (shape[-2] + shape[-1])
