"""Pairs of pairs of texts whose order a model has otherwise than a teacher, block by block, with the gradient.

P pairs of a batch's texts, p of a block.
"""

import numpy as np

from mlx_metaembed.xp import Array, after, constant, namespace, relu, stop_gradient, with_gradients

MOST = 1 << 19
"""Pairs of pairs that are held at once."""


def hinge(scores: Array, teacher: Array, margin: float) -> Array:
    """The mean of relu(the lower one's score - the higher one's + margin), of scores [P], over all two of them that the
    teacher's [P] tell apart, lower and higher as these have it; 0 where there are none.

    P x P numbers are never held, nor anything of a block for the way back.
    """
    xp, count = namespace(scores), scores.shape[0]
    fixed, teacher = stop_gradient(scores), stop_gradient(teacher)
    value, terms, at, done = None, None, None, []
    if count < 2:
        # A batch of two texts has one pair.
        return xp.sum(scores) * 0.0
    first = 0
    while first < count - 1:
        # Later rows have fewer others after them, so that blocks grow in height.
        rows, width = min(max(MOST // (count - first), 1), count - 1 - first), count - first
        # A lazy engine would otherwise hold all blocks at once.
        own, other = after(fixed[first : first + rows], done)[:, None], fixed[None, first:]
        order = teacher[None, first:] - teacher[first : first + rows][:, None]
        later = constant(np.arange(width)[None, :] > np.arange(rows)[:, None], fixed)
        # 1 where the later pair should score higher, -1 where lower, 0 where they are not compared.
        sign = xp.astype(later & (order > 0), xp.float32) - xp.astype(later & (order < 0), xp.float32)
        wrong = margin - sign * (other - own)
        active = sign * xp.astype(wrong > 0, xp.float32)
        found = xp.sum(xp.sum(relu(wrong) * xp.abs(sign), axis=1))
        at_own, at_other = xp.sum(active, axis=1), -xp.sum(active, axis=0)
        size = xp.sum(xp.sum(xp.abs(sign), axis=1))
        at_all = _padded(at_own, first, count) + _padded(at_other, first, count)
        value, terms, at = (found, size, at_all) if value is None else (value + found, terms + size, at + at_all)
        done, first = [value, terms, at], first + rows
    share = 1 / (terms + xp.astype(terms == 0, xp.float32))
    return with_gradients(value * share, [scores], [at * share])


def _padded(x: Array, first: int, count: int) -> Array:
    """Numbers [n] with zeros before them, so many, and after them up to `count`."""
    xp, last = namespace(x), count - first - x.shape[0]
    ends = [constant(np.zeros(size, np.float32), x) for size in (first, last)]
    return xp.concatenate([ends[0], x, ends[1]], axis=0)
