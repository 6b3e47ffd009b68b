"""torch under the array-API's words: a plain module, so that torch.compile traces through it.

Only what torch spells differently is written here; everything else is torch's own. Importing it makes
`xp.namespace` know torch's tensors.
"""

import torch
from torch import (  # noqa: F401
    abs,
    concatenate,
    erf,
    exp,
    float32,
    int32,
    log,
    log1p,
    matmul,
    minimum,
    round,
    sqrt,
    squeeze,
    swapaxes,
    tanh,
    uint8,
    where,
    zeros_like,
)


def max(x, axis, keepdims=False):
    return x.amax(axis, keepdim=keepdims)


def sum(x, axis=None, keepdims=False):
    return x.sum() if axis is None else x.sum(axis, keepdim=keepdims)


def mean(x, axis=None, keepdims=False):
    return x.mean() if axis is None else x.mean(axis, keepdim=keepdims)


def cumsum(x, axis):
    return x.cumsum(axis)


def take(x, indices, axis):
    """Rows by int indices of one dimension."""
    return x.index_select(axis, indices)


def take_along_axis(x, indices, axis):
    """Entries by int indices of the same number of dimensions."""
    return torch.take_along_dim(x, indices.long(), axis)


def argmin(x, axis):
    return x.argmin(axis)


def argsort(x, axis):
    return x.argsort(axis)


def argpartition(x, kth, axis):
    """Of each row the places of its kth + 1 least alone; nothing needs the others."""
    return x.topk(kth + 1, dim=axis, largest=False).indices


def astype(x, dtype):
    return x.to(dtype)


def stop_gradient(x):
    return x.detach()


def constant(values, like):
    # A copy: what shared NumPy's memory would change with it, and with whatever else shares it.
    return torch.asarray(values, device=like.device).clone()


class _Written(torch.autograd.Function):
    """A function whose gradient is given with it."""

    @staticmethod
    def forward(ctx, function, pull_back, *given):
        ctx.pull_back = pull_back
        ctx.save_for_backward(*given)
        return function(*given)

    @staticmethod
    def backward(ctx, at):
        return None, None, *ctx.pull_back(at, *ctx.saved_tensors)


def with_pull_back(function, pull_back, *given):
    return _Written.apply(function, pull_back, *given)
