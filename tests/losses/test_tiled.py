"""Several tiles give what one gives, and torch keeps nothing of rows by candidates."""

import numpy as np
import pytest
from arrays import gradient_of, on, value_of
from losses.samples import arrays, function_of, holes, outputs, roles_of

from benchmarks.memory.counted import counted
from mlx_metaembed.heads.output import Output
from mlx_metaembed.losses import LOSSES, Sample, Sizes, maxsim, scorers


@pytest.mark.parametrize("gives", ["sparse", "tokens"])
def test_many_small_tiles_give_what_one_gives(engine_name: str, gives: str, monkeypatch: pytest.MonkeyPatch):
    of = function_of("info_nce", gives, LOSSES["info_nce"](symmetric=True), holes())
    given = list(arrays(gives, roles_of("info_nce", gives)).values())
    one = value_of(engine_name, of, *given), gradient_of(engine_name, of, *given)
    monkeypatch.setattr(maxsim, "MOST_PRODUCTS", 2 * 3 * 5)
    monkeypatch.setattr(scorers.DotProducts, "height", lambda self: 2)
    assert value_of(engine_name, of, *given) == pytest.approx(one[0], rel=1e-6)
    np.testing.assert_allclose(gradient_of(engine_name, of, *given), one[1], rtol=1e-4, atol=1e-6)


def test_torch_keeps_no_tile_for_the_way_back(torch_engine: str):
    import torch

    random, kept = np.random.default_rng(0), []
    values = [on(torch_engine, random.standard_normal((300, 4, 8)).astype(np.float32)) for _ in range(2)]
    given = {
        role: Output("tokens", x.requires_grad_(), mask=np.ones((300, 4), bool), mean=True)
        for role, x in zip(("anchor", "positive"), values, strict=True)
    }
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
        LOSSES["info_nce"]()(Sample(given))
    assert 0 < max(kept) <= 300 * 4 * 8, "rows by candidates would be 300 * 300"


def test_by_word_weights_never_grow_to_rows_by_candidates(torch_engine: str):
    import torch

    kept = []
    given = outputs("words", {r: on(torch_engine, x) for r, x in arrays("words", ("anchor", "positive")).items()})
    for output in given.values():
        output.values.requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
        LOSSES["info_nce"]()(Sample(given))
    assert max(kept) <= 5 * 12


def test_one_block_of_token_products_is_held(mlx_engine: str, monkeypatch: pytest.MonkeyPatch):
    import mlx.core as mx

    monkeypatch.setattr(maxsim, "MOST_PRODUCTS", 1 << 15)
    random, mask = np.random.default_rng(0), np.ones((64, 32), bool)
    values = [on(mlx_engine, random.standard_normal((64, 32, 4)).astype(np.float32)) for _ in range(2)]

    def loss(anchors, positives):
        given = {"anchor": Output("tokens", anchors, mask=mask), "positive": Output("tokens", positives, mask=mask)}
        return LOSSES["info_nce"]()(Sample(given))

    mx.eval(values)
    derived = mx.value_and_grad(loss, argnums=(0, 1))
    held = max(counted(mlx_engine, lambda: mx.eval(derived(*values))) for _ in range(2))
    whole, foretold = 4 * (64 * 32) ** 2, LOSSES["info_nce"]().held_bytes(Sizes(64, 64, 4, 1, 32))
    assert held < whole / 4, "all tokens by all tokens would be held"
    assert 0.6 * foretold < held < 1.25 * foretold
