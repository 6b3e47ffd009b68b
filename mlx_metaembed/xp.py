"""The array namespace of shared text, and the few words that the engines lack or spell differently.

Shared text asks an array for its words (`xp = namespace(x)`): mlx.core, numpy, or `on_torch.words`. It creates no
array but by `constant`, changes none in place, and never branches on a value.
"""

import sys
from types import ModuleType
from typing import Any

Array = Any
"""An array of whichever engine runs: mlx.core.array, torch.Tensor or numpy.ndarray."""

EPSILON = 1e-12
LOWEST = -(2.0**126)
"""About half of float32's least: the sum or difference of two stays finite."""


def namespace(x: Array) -> ModuleType:
    """The module whose functions take `x`."""
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    return sys.modules["mlx_metaembed.on_torch.words"]


def constant(values: Any, like: Array) -> Array:
    """NumPy values as an array of the engine and device of `like`; their own dtype is kept."""
    xp = namespace(like)
    words = getattr(xp, "constant", None)
    return words(values, like) if words else xp.asarray(values)


def stop_gradient(x: Array) -> Array:
    """`x` without its history; NumPy has none to drop."""
    words = getattr(namespace(x), "stop_gradient", None)
    return words(x) if words else x


def relu(x: Array) -> Array:
    """max(x, 0) with gradient 0 at 0 in every engine."""
    xp = namespace(x)
    return xp.where(x > 0, x, xp.zeros_like(x))


def softplus(x: Array) -> Array:
    """log(1 + exp(x)) that does not overflow."""
    xp = namespace(x)
    return relu(x) + xp.log1p(xp.exp(-xp.abs(x)))


def masked(x: Array, mask: Array) -> Array:
    """`x` where the bool mask is True; elsewhere a value that no maximum picks and that exp turns to 0."""
    xp = namespace(x)
    return xp.where(mask, x, xp.zeros_like(x) + LOWEST)


def logsumexp(x: Array, axis: int) -> Array:
    """log(sum(exp(x))) over one axis, which goes."""
    xp = namespace(x)
    peak = stop_gradient(xp.max(x, axis=axis, keepdims=True))
    return xp.log(xp.sum(xp.exp(x - peak), axis=axis)) + xp.squeeze(peak, axis)


def normalize(x: Array) -> Array:
    """Unit length over the last axis; a zero vector stays zero with a finite gradient."""
    xp = namespace(x)
    return x / xp.sqrt(xp.sum(x * x, axis=-1, keepdims=True) + EPSILON)


def ones_where(mask: Array, like: Array) -> Array:
    """The bool mask as 1 and 0 in the dtype of `like`, to which it must broadcast."""
    xp = namespace(like)
    return xp.where(mask, xp.zeros_like(like) + 1, xp.zeros_like(like))
