"""Rounding with a straight-through gradient: the numbers of the quantizer, and the gradient of the matrix."""

import importlib

import numpy as np
import pytest

from mlx_metaembed.layers.rounding import straight_through
from mlx_metaembed.quantizers import affine

WEIGHT = np.random.default_rng(0).standard_normal((6, 64)).astype(np.float32)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_the_numbers_of_the_grid(engine_name: str, bits: int) -> None:
    engine = importlib.import_module(f"mlx_metaembed.on_{engine_name}.engine").load_engine("test")
    found = engine.numpy(straight_through(engine.array(WEIGHT), bits, 32))
    groups = WEIGHT.reshape(-1, 32)
    grid = affine.span(groups, bits)
    expected = affine.values(affine.codes(groups, *grid, bits), *grid).reshape(WEIGHT.shape)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    # At most so many numbers a group, but for what float32 loses.
    assert max(len(np.unique(row.round(5))) for row in found.reshape(-1, 32)) <= 2**bits


def test_equal_numbers_stay(engine_name: str) -> None:
    engine = importlib.import_module(f"mlx_metaembed.on_{engine_name}.engine").load_engine("test")
    same = np.full((1, 32), 0.7, np.float32)
    np.testing.assert_array_equal(engine.numpy(straight_through(engine.array(same), 4, 32)), same)


def test_the_gradient_is_the_matrix_own_on_torch(torch_engine: str) -> None:
    import torch

    weight = torch.tensor(WEIGHT, requires_grad=True)
    factors = torch.arange(WEIGHT.size, dtype=torch.float32).reshape(WEIGHT.shape)
    (straight_through(weight, 2, 32) * factors).sum().backward()
    np.testing.assert_array_equal(weight.grad.numpy(), factors.numpy())


def test_the_gradient_is_the_matrix_own_on_mlx(mlx_engine: str) -> None:
    mx = importlib.import_module("mlx_metaembed.on_mlx.quantize").mx
    factors = mx.arange(WEIGHT.size).reshape(WEIGHT.shape).astype(mx.float32)
    found = mx.grad(lambda weight: mx.sum(straight_through(weight, 2, 32) * factors))(mx.array(WEIGHT))
    np.testing.assert_array_equal(np.array(found), np.array(factors))
