"""The array namespace of shared text, and the few words that the engines lack or spell differently.

Shared text asks an array for its words (`xp = namespace(x)`): mlx.core, numpy, or `on_torch.words`. It creates no
array but by `constant`, changes none in place, and never branches on a value.
"""

import math
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

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


def after(x: Array, done: list[Array]) -> Array:
    """`x`, which a lazy engine computes only when the arrays `done` are there."""
    depends = getattr(namespace(x), "depends", None)
    return depends([x], done)[0] if depends and done else x


def with_gradients(value: Array, at: Sequence[Array], gradients: Sequence[Array]) -> Array:
    """The scalar `value` whose gradient at the arrays `at` is `gradients`, whatever it was computed from."""
    xp = namespace(value)
    value = stop_gradient(value)
    for x, gradient in zip(at, gradients, strict=True):
        value = value + xp.sum(stop_gradient(gradient) * (x - stop_gradient(x)))
    return value


def with_rows(x: Array, rows: slice, values: Array) -> Array:
    """`x` with other rows at a slice, in its own memory where the engine can; the old `x` must not be used again."""
    x[rows] = values
    return x


def with_pull_back(function: Callable[..., Array], pull_back: Callable[..., Sequence[Array]], *given: Array) -> Array:
    """`function(*given)`, two arrays or more, with a gradient that is written out.

    `pull_back(at, *given)` gives the gradients at all of them for `at`, that at the value. Neither is derived, so that
    an engine keeps nothing of them but the arguments.
    """
    xp = namespace(given[0])
    if words := getattr(xp, "with_pull_back", None):
        return words(function, pull_back, *given)
    if made := getattr(xp, "custom_function", None):
        whole = made(function)
        whole.vjp(lambda primals, at, value: tuple(pull_back(at, *primals)))
        return whole(*given)
    return function(*given)


def relu(x: Array) -> Array:
    """max(x, 0) with gradient 0 at 0 in every engine; NaN stays NaN, so that it is seen."""
    xp = namespace(x)
    return xp.where(x <= 0, xp.zeros_like(x), x)


def softplus(x: Array) -> Array:
    """log(1 + exp(x)) that does not overflow."""
    xp = namespace(x)
    return relu(x) + xp.log1p(xp.exp(-xp.abs(x)))


def normal_distribution(x: Array) -> Array:
    """The share of a standard normal distribution that lies below `x`."""
    # NumPy, the referee of the tests, has no erf.
    erf = getattr(namespace(x), "erf", None) or np.vectorize(math.erf, otypes=[x.dtype])
    return 0.5 + 0.5 * erf(x * math.sqrt(0.5))


def gelu(x: Array) -> Array:
    """x times the normal distribution function of x."""
    return x * normal_distribution(x)


def gelu_tanh(x: Array) -> Array:
    """GELU by tanh, as `gelu_new` and `gelu_pytorch_tanh` are."""
    return 0.5 * x * (1 + namespace(x).tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def layer_norm(x: Array, weight: Array, bias: Array | None, eps: float) -> Array:
    """Mean 0 and variance 1 over the last axis, scaled by `weight` and shifted by `bias` where there is one."""
    xp = namespace(x)
    x = x - xp.mean(x, axis=-1, keepdims=True)
    x = x / xp.sqrt(xp.mean(x * x, axis=-1, keepdims=True) + eps) * weight
    return x if bias is None else x + bias


def masked(x: Array, mask: Array) -> Array:
    """`x` where the bool mask is True; elsewhere a value that no maximum picks and that exp turns to 0."""
    return namespace(x).where(mask, x, LOWEST)


def logsumexp(x: Array, axis: int) -> Array:
    """log(sum(exp(x))) over one axis, which goes."""
    xp = namespace(x)
    peak = stop_gradient(xp.max(x, axis=axis, keepdims=True))
    return xp.log(xp.sum(xp.exp(x - peak), axis=axis)) + xp.squeeze(peak, axis)


def normalize(x: Array) -> Array:
    """Unit length over the last axis; a zero vector stays zero with a finite gradient."""
    xp = namespace(x)
    return x / xp.sqrt(xp.sum(x * x, axis=-1, keepdims=True) + EPSILON)
