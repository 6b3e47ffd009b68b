"""Pooling: literal arithmetic, padding on either side, and what a folder declares after it."""

from pathlib import Path

import numpy as np
import pytest
from arrays import on, value_of

from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.module_types import DenseModule
from mlx_metaembed.pooling import MODES, pool, vector

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
