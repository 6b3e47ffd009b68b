"""Shared text called on an engine's own arrays, results back as NumPy; arrays of an .npz file."""

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np


def on(engine_name: str, array: np.ndarray):
    """A NumPy array as the engine's."""
    if engine_name == "mlx":
        # Through the engine, which loads a fast BLAS first: the process keeps the one that it began with.
        return importlib.import_module("mlx_metaembed.on_mlx.engine").mx.array(array)
    importlib.import_module("mlx_metaembed.on_torch.words")
    import torch

    return torch.as_tensor(array)


def value_of(engine_name: str, function: Callable, *arrays: np.ndarray) -> np.ndarray:
    value = function(*(on(engine_name, array) for array in arrays))
    return value.detach().numpy() if engine_name == "torch" else np.array(value)


def gradient_of(engine_name: str, function: Callable, *arrays: np.ndarray) -> np.ndarray:
    """The gradient of a scalar function at its first argument."""
    inputs = [on(engine_name, array) for array in arrays]
    if engine_name == "mlx":
        import mlx.core as mx

        return np.array(mx.grad(lambda first: function(first, *inputs[1:]))(inputs[0]))
    inputs[0].requires_grad_()
    function(*inputs).backward()
    return inputs[0].grad.numpy()


def stored(path: Path) -> dict[str, np.ndarray]:
    """All the arrays of an .npz file, which is closed again."""
    with np.load(path) as found:
        return dict(found)
