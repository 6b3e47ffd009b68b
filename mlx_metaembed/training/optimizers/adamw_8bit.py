"""AdamW whose moments are kept in 8 bits: about 2 bytes a parameter instead of 8.

Blocks of 256 numbers have a scale each (arXiv:2110.02861, section 2.1). Instead of that paper's dynamic tree, levels
lie evenly on a root (the cube root of the first moment, the fourth root of the second), which needs no table and keeps
as many decades. Vectors (biases, norms) stay in float32: they are few and sensitive.
"""

import math
from collections.abc import Sequence

import numpy as np

from mlx_metaembed.training.optimizers import adamw
from mlx_metaembed.xp import Array, constant, namespace

BLOCK = 256
BY_ROWS = False
KERNEL = ""
corrections = adamw.corrections


def initial(parameter: Array) -> list[Array]:
    """Levels uint8 [blocks, 256] and scales float32 [blocks, 1] of both moments; of a vector plain moments."""
    if len(parameter.shape) < 2:
        return adamw.initial(parameter)
    blocks = _blocks(parameter.shape)
    found = []
    for middle in (128, 0):
        levels, scales = np.full((blocks, BLOCK), middle, np.uint8), np.zeros((blocks, 1), np.float32)
        found += [constant(levels, parameter), constant(scales, parameter)]
    return found


def apply(parameter: Array, gradient: Array, state: Sequence[Array], scalars: Array) -> tuple[Array, list[Array]]:
    """The parameter and its 8-bit moments after a step of AdamW."""
    if len(state) == 2:
        return adamw.apply(parameter, gradient, state, scalars)
    first, second = adamw.moments(_blocked(gradient), signed(*state[:2]), unsigned(*state[2:]))
    count = math.prod(parameter.shape)
    flat = [each.reshape(-1)[:count].reshape(parameter.shape) for each in (first, second)]
    return adamw.moved(parameter, *flat, scalars), [*signed_levels(first), *unsigned_levels(second)]


def signed_levels(x: Array) -> list[Array]:
    """Numbers [blocks, 256] as levels uint8 around 128 and scales float32 [blocks, 1]."""
    xp = namespace(x)
    scale = xp.max(xp.abs(x), axis=1, keepdims=True)
    root = xp.round(127 * (xp.abs(x) / xp.where(scale > 0, scale, scale + 1)) ** (1 / 3))
    return [xp.astype(xp.where(x < 0, 128 - root, 128 + root), xp.uint8), scale]


def signed(levels: Array, scale: Array) -> Array:
    """The numbers that signed levels stand for."""
    xp = namespace(scale)
    x = (xp.astype(levels, xp.float32) - 128) / 127
    return x * x * x * scale


def unsigned_levels(x: Array) -> list[Array]:
    """Numbers of at least 0 [blocks, 256] as levels uint8 and scales; none but 0 becomes 0, since it is divided by."""
    xp = namespace(x)
    scale = xp.max(x, axis=1, keepdims=True)
    root = xp.round(255 * (x / xp.where(scale > 0, scale, scale + 1)) ** (1 / 4))
    return [xp.astype(xp.where((x > 0) & (root < 1), root * 0 + 1, root), xp.uint8), scale]


def unsigned(levels: Array, scale: Array) -> Array:
    """The numbers that unsigned levels stand for."""
    xp = namespace(scale)
    x = xp.astype(levels, xp.float32) / 255
    return x * x * x * x * scale


def state_bytes(shape: Sequence[int]) -> int:
    """Bytes of the state of a parameter."""
    return adamw.state_bytes(shape) if len(shape) < 2 else _blocks(shape) * 2 * (BLOCK + 4)


def _blocks(shape: Sequence[int]) -> int:
    return -(-math.prod(shape) // BLOCK)


def _blocked(x: Array) -> Array:
    """Numbers as blocks [n, 256], filled up with zeros."""
    missing = _blocks(x.shape) * BLOCK - math.prod(x.shape)
    flat = x.reshape(-1)
    if missing:
        flat = namespace(x).concatenate([flat, constant(np.zeros(missing, np.float32), x)], axis=0)
    return flat.reshape(-1, BLOCK)
