"""Pooling: literal arithmetic, padding on either side, and what a folder declares after it."""

from pathlib import Path

import numpy as np
import pytest
from arrays import on, value_of

from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.module_types import DenseModule
from mlx_metaembed.layers.dense_activations import NAMES, activation, known
from mlx_metaembed.layers.pooling import MODES, pool, vector

STATES = np.array([[[1, 9], [2, -8], [3, 7], [100, 100]], [[100, 100], [4, 1], [6, 3], [8, -2]]], np.float32)
MASK = np.array([[True, True, True, False], [False, True, True, True]])
EXPECTED = {
    "cls": [[1, 9], [4, 1]],
    "lasttoken": [[3, 7], [8, -2]],
    "mean": [[2, 8 / 3], [6, 2 / 3]],
    "mean_sqrt_len_tokens": [[6 / 3**0.5, 8 / 3**0.5], [18 / 3**0.5, 2 / 3**0.5]],
    "weightedmean": [[(1 + 4 + 9) / 6, (9 - 16 + 21) / 6], [(4 + 12 + 24) / 6, (1 + 6 - 6) / 6]],
    "max": [[3, 9], [8, 3]],
}


@pytest.mark.parametrize("mode", MODES)
def test_modes_by_hand(engine_name: str, mode: str):
    got = value_of(engine_name, lambda states, mask: pool(states, mask, mode), STATES, MASK)
    np.testing.assert_allclose(got, EXPECTED[mode], rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_half_precision_states_are_pooled_in_float32(engine_name: str, mode: str):
    got = value_of(engine_name, lambda states, mask: pool(states, mask, mode), STATES.astype(np.float16), MASK)
    assert got.dtype == np.float32


def test_dense_and_normalize_come_after(engine_name: str):
    module = DenseModule("2_Dense", 2, 1, True, "torch.nn.modules.activation.Tanh")
    folder = ModelFolder(Path(), {"model_type": "bert", "hidden_size": 2}, 8, pooling="cls", dense=(module,))
    weights = {"linear.weight": np.array([[0.1, 0.2]], np.float32), "linear.bias": np.array([0.3], np.float32)}
    weights = {"2_Dense": {name: on(engine_name, array) for name, array in weights.items()}}
    got = value_of(engine_name, lambda states, mask: vector(states, mask, folder, weights), STATES, MASK)
    np.testing.assert_allclose(got, np.tanh([[0.1 + 1.8 + 0.3], [0.4 + 0.2 + 0.3]]), rtol=1e-6)
    unit = ModelFolder(Path(), folder.config, 8, pooling="cls", normalize=True)
    got = value_of(engine_name, lambda states, mask: vector(states, mask, unit, {}), STATES, MASK)
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, rtol=1e-6)


def test_several_modes_stand_side_by_side(engine_name: str):
    got = value_of(engine_name, lambda states, mask: pool(states, mask, "lasttoken+mean"), STATES, MASK)
    np.testing.assert_allclose(got, np.concatenate([EXPECTED["lasttoken"], EXPECTED["mean"]], axis=1), rtol=1e-6)


def test_a_prompt_that_is_left_out_counts_in_the_weights_by_place(engine_name: str):
    states = np.array([[[1.0], [2.0], [4.0], [9.0]]], np.float32)
    real = np.array([[True, True, True, False]])
    mask = real & np.array([False, True, True, True])
    found = value_of(engine_name, lambda *given: pool(given[0], given[1], "weightedmean", given[2]), states, mask, real)
    np.testing.assert_allclose(found, [[(2 * 2.0 + 3 * 4.0) / (2 + 3)]], rtol=1e-6)


X = np.array([-8.0, -3.0, -1.0, -0.5, -0.1, 0.0, 0.1, 0.5, 1.0, 3.0, 6.0, 90.0], np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_activations_are_those_of_torch(engine_name: str, torch_engine: str, name: str):
    from mlx_metaembed.on_torch.activations import activated

    found = value_of(engine_name, activation(name), X)
    np.testing.assert_allclose(found, activated(name, X), rtol=1e-5, atol=1e-6)


def test_activations_by_hand(engine_name: str):
    found = {
        name: value_of(
            engine_name, activation(f"torch.nn.modules.activation.{name}"), np.array([-2.0, 2.0], np.float32)
        )
        for name in ("ReLU", "ReLU6", "LeakyReLU", "Softsign", "Hardtanh", "Hardshrink", "Softshrink", "Sigmoid", "ELU")
    }
    expected = {
        "ReLU": [0, 2],
        "ReLU6": [0, 2],
        "LeakyReLU": [-0.02, 2],
        "Softsign": [-2 / 3, 2 / 3],
        "Hardtanh": [-1, 1],
        "Hardshrink": [-2, 2],
        "Softshrink": [-1.5, 1.5],
        "Sigmoid": [1 / (1 + np.exp(2)), 1 / (1 + np.exp(-2))],
        "ELU": [np.exp(-2) - 1, 2],
    }
    for name, values in expected.items():
        found = value_of(engine_name, activation(f"torch.nn.{name}"), np.array([-2.0, 2.0], np.float32))
        np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", ["torch.nn.Softmax", "torch.nn.GLU", "torch.nn.PReLU", "torch.tanh", "Tanh", None, 3])
def test_what_is_no_elementwise_activation(name: object):
    assert not known(name)
