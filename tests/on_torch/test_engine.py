"""What is the torch engine's own: rows as an embedding's gradient, updates in pieces, layers computed twice."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from states import GOLDEN
from steps import descend, loaded, one_step

from mlx_metaembed.recipe import Recipe


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("short_cut", ["SPARSE_FROM", "PIECE"])
def test_a_short_cut_changes_no_step(
    torch_engine: str, tiny: Path, monkeypatch: pytest.MonkeyPatch, short_cut: str, cached: bool
):
    engine = importlib.import_module("mlx_metaembed.on_torch.engine")
    monkeypatch.setattr(engine, "SPARSE_FROM", 2**40)
    monkeypatch.setattr(engine, "PIECE", 2**40)
    loss, norm, masters = one_step(torch_engine, tiny, cached=cached, fsq=True)
    monkeypatch.setattr(engine, short_cut, 100)
    short_loss, short_norm, short_masters = one_step(torch_engine, tiny, cached=cached, fsq=True)
    assert short_loss == loss
    assert short_norm == pytest.approx(norm, rel=1e-6)
    for name in masters:
        np.testing.assert_allclose(short_masters[name], masters[name], rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_rows_of_half_precision_embeddings_are_summed_in_float32(
    torch_engine: str, tiny: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
):
    engine = importlib.import_module("mlx_metaembed.on_torch.engine")
    monkeypatch.setattr(engine, "SPARSE_FROM", 2**40)
    norm = one_step(torch_engine, tiny, cached=True, dtype=dtype)[1]
    monkeypatch.setattr(engine, "SPARSE_FROM", 0)
    assert one_step(torch_engine, tiny, cached=True, dtype=dtype)[1] == pytest.approx(norm, rel=1e-2)


@pytest.mark.parametrize(("checkpointing", "times"), [(False, 1), (True, 2)])
def test_checkpointed_layers_are_computed_twice(torch_engine: str, checkpointing: bool, times: int):
    engine, head, batch = loaded(torch_engine, GOLDEN / "mpnet", checkpointing=checkpointing)
    calls = []
    engine._trunk.encoder.layer[1].intermediate.register_forward_hook(lambda *given: calls.append(given))
    descend(Recipe(), head, engine, batch, seed=0, cached=False)
    assert len(calls) == times * len(batch.chunks)
