"""LoRA and DoRA on torch: the gradient of the shared text, and no matrix of the weight's size kept by a pass."""

import numpy as np
import pytest
from arrays import gradient_of

from mlx_metaembed import adapters
from mlx_metaembed.adapters import Adapter
from mlx_metaembed.xp import namespace

RANDOM = np.random.default_rng(0)
WEIGHT, BIAS = RANDOM.standard_normal((6, 4)).astype(np.float32), RANDOM.standard_normal(6).astype(np.float32)
X, AT_Y = RANDOM.standard_normal((2, 3, 4)).astype(np.float32), RANDOM.standard_normal((2, 3, 6)).astype(np.float32)


def adapter(dora: bool) -> Adapter:
    shapes = adapters.shapes("layer", 6, 4, rank=2, dora=dora)
    return Adapter(2, 3.0, ("layer",), {n: RANDOM.random(s).astype(np.float32) + 0.1 for n, s in shapes.items()}, dora)


def attached(made: Adapter, bias: bool):
    import torch

    from mlx_metaembed.on_torch import lora

    trunk = torch.nn.ModuleDict({"layer": torch.nn.Linear(4, 6, bias=bias)})
    trunk["layer"].weight.data = torch.tensor(WEIGHT)
    if bias:
        trunk["layer"].bias.data = torch.tensor(BIAS)
    trunk.requires_grad_(False)
    lora.attach(trunk, made)
    return trunk


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dora", [False, True])
def test_output_and_gradients_are_those_of_the_changed_matrix(torch_engine: str, dora: bool, bias: bool):
    import torch

    made = adapter(dora)
    trunk, x = attached(made, bias), torch.tensor(X, requires_grad=True)
    y = trunk["layer"](x)
    expected = X @ adapters.fused(made, "layer", WEIGHT).T + (BIAS if bias else 0)
    np.testing.assert_allclose(y.detach(), expected, rtol=1e-5, atol=1e-5)
    y.backward(torch.tensor(AT_Y))
    names = ["layer.lora_A.weight", "layer.lora_B.weight", "layer.lora_magnitude_vector"][: 3 if dora else 2]
    trained = {name: each for name, each in trunk.named_parameters() if each.requires_grad}
    assert set(trained) == set(names)

    def scored(position: int):
        def score(*given):
            x, *parts = (*given[1 : position + 1], given[0], *given[position + 1 :])
            matrix = adapters.changed(constant, *parts, *([] if dora else [None]), made.scale)
            return namespace(x).sum(namespace(x).matmul(x, matrix.T) * weights)

        return score

    constant, weights = torch.tensor(WEIGHT), torch.tensor(AT_Y.reshape(-1, 6))
    arrays = [X.reshape(-1, 4), *(made.arrays[name] for name in names)]
    for position, got in enumerate([x.grad.reshape(-1, 4), *(trained[name].grad for name in names)]):
        given = [arrays[position], *arrays[:position], *arrays[position + 1 :]]
        expected = gradient_of(torch_engine, scored(position), *given)
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5, err_msg=str(position))


@pytest.mark.parametrize("dora", [False, True])
def test_a_half_trunk_has_a_half_adapter(torch_engine: str, dora: bool):
    import torch

    from mlx_metaembed.on_torch import lora

    trunk = torch.nn.ModuleDict({"layer": torch.nn.Linear(4, 6, dtype=torch.bfloat16)})
    lora.attach(trunk, adapter(dora))
    assert {each.dtype for each in trunk.parameters()} == {torch.bfloat16}
    assert trunk["layer"](torch.ones(1, 3, 4, dtype=torch.bfloat16)).shape == (1, 3, 6)


@pytest.mark.parametrize("dora", [False, True])
def test_a_pass_keeps_its_input_and_nothing_of_the_outputs_size(torch_engine: str, dora: bool):
    import torch

    trunk, x, kept = attached(adapter(dora), True), torch.tensor(X, requires_grad=True), {}
    own = {each.data_ptr() for each in trunk.parameters()} | {x.data_ptr()}
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.setdefault(t.data_ptr(), t), lambda t: t):
        trunk["layer"](x)
    # The inner states [tokens, rank], or DoRA's lengths of rows.
    assert sorted(tuple(each.shape) for at, each in kept.items() if at not in own) == [(6,) if dora else (6, 2)]
