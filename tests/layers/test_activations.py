"""Activations by transformers' names: their numbers, and transformers' own beside them."""

import numpy as np
import pytest
from arrays import gradient_of, value_of

from mlx_metaembed.layers import activations
from mlx_metaembed.layers.activations import ACTIVATIONS
from mlx_metaembed.xp import namespace

AT_ONE_AND_A_HALF = {
    "gelu": 1.399789,
    "gelu_10": 1.399789,
    "gelu_accurate": 1.399572,
    "gelu_fast": 1.399572,
    "gelu_new": 1.399572,
    "gelu_python": 1.399789,
    "gelu_python_tanh": 1.399572,
    "gelu_pytorch_tanh": 1.399572,
    "hardswish": 1.5 * 4.5 / 6,
    "laplace": 0.997529,
    "leaky_relu": 1.5,
    "linear": 1.5,
    "mish": 1.5 * np.tanh(np.log1p(np.exp(1.5))),
    "quick_gelu": 1.5 / (1 + np.exp(-1.702 * 1.5)),
    "relu": 1.5,
    "relu2": 2.25,
    "relu6": 1.5,
    "sigmoid": 1 / (1 + np.exp(-1.5)),
    "silu": 1.5 / (1 + np.exp(-1.5)),
    "sqrtsoftplus": np.sqrt(np.log1p(np.exp(1.5))),
    "swish": 1.5 / (1 + np.exp(-1.5)),
    "tanh": np.tanh(1.5),
}
GRID = np.linspace(-20, 20, 801, dtype=np.float32)


def test_every_name_has_its_number():
    assert AT_ONE_AND_A_HALF.keys() == ACTIVATIONS.keys()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_numbers(engine_name: str, name: str):
    got = value_of(engine_name, ACTIVATIONS[name], np.array([1.5], np.float32))
    assert got.tolist() == pytest.approx([AT_ONE_AND_A_HALF[name]], abs=1e-5)


def test_the_ends(engine_name: str):
    def ends(name: str) -> list[float]:
        return value_of(engine_name, ACTIVATIONS[name], np.array([-30.0, 30.0], np.float32)).tolist()

    assert ends("gelu_10") == [0.0, 10.0]
    assert ends("relu6") == [0.0, 6.0]
    assert ends("hardswish") == pytest.approx([0.0, 30.0])
    assert ends("leaky_relu") == pytest.approx([-0.3, 30.0])
    assert ends("sigmoid") == [0.0, 1.0]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_trunks_forms_on_mlx_are_the_shared_ones(mlx_engine: str, name: str):
    from mlx_metaembed.on_mlx.activations import ACTIVATIONS as TRUNK

    wanted = ACTIVATIONS[name](GRID.astype(np.float64))
    np.testing.assert_allclose(value_of(mlx_engine, TRUNK[name], GRID), wanted, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_they_are_transformers_own(engine_name: str, torch_engine: str, name: str):
    import torch
    from transformers.activations import ACT2FN

    wanted = ACT2FN[name](torch.from_numpy(GRID)).numpy()
    np.testing.assert_allclose(value_of(engine_name, ACTIVATIONS[name], GRID), wanted, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradients_are_finite_far_out(engine_name: str, name: str):
    found = gradient_of(engine_name, lambda x: namespace(x).sum(ACTIVATIONS[name](x)), GRID[::40])
    assert np.isfinite(found).all()


def test_what_has_weights_of_its_own_is_left_out(torch_engine: str):
    from transformers.activations import ACT2CLS

    assert set(ACT2CLS) - set(activations.ACTIVATIONS) == {"prelu", "xielu"}
