"""Runs that were stopped and resumed end with the bits of whole ones, whatever trains and by whichever optimizer."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from arrays import on
from runs import metrics, recipe, stop_after, weights_of

from mlx_metaembed.embedder import load
from mlx_metaembed.errors import JobError
from mlx_metaembed.files import safetensors
from mlx_metaembed.training import train
from mlx_metaembed.training.optimizers.rates import RULES

ADAPTER = {"lora_rank": 2, "fsq": "4x8"}
TRAINS = {
    "full, fsq and dense": {"fsq": "4x8", "dense": 16, "matryoshka": (16, 8)},
    "lora": {"train": "lora", **ADAPTER},
    "dora": {"train": "dora", **ADAPTER},
    "heads": {"train": "heads", "fsq": "4x8", "dense": 16, "matryoshka": ()},
    "float16 and accumulation": {"dtype": "float16", "grad_accumulation_steps": 2, "fsq": ""},
}


@pytest.mark.parametrize("optimizer", RULES)
@pytest.mark.parametrize("trains", TRAINS)
def test_a_resumed_run_has_the_bits_of_a_whole_one(
    engine_name: str, tiny: Path, pairs: Path, tmp_path: Path, optimizer: str, trains: str
):
    settings = {"engine": engine_name, "optimizer": optimizer, "save_every": 2, "epochs": 1} | TRAINS[trains]
    whole = recipe(tiny, pairs, tmp_path / "whole", **settings)
    train(whole)
    parts = replace(whole, out=str(tmp_path / "parts"))
    for step in (1, 2) if settings.get("grad_accumulation_steps") is None else (1,):
        with pytest.raises(JobError, match=f"Stopped after step {step}"):
            train(parts, resume=step > 1, callbacks=[stop_after(step)])
    train(parts, resume=True)
    expected, got = weights_of(tmp_path / "whole"), weights_of(tmp_path / "parts")
    assert set(expected) == set(got) and len(expected) > 4
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)


@pytest.mark.parametrize("optimizer", RULES)
def test_both_engines_end_alike_with_each_optimizer(
    two_engines: tuple[str, str], tiny: Path, pairs: Path, tmp_path: Path, optimizer: str
):
    for name in two_engines:
        train(
            recipe(tiny, pairs, tmp_path / name, engine=name, fsq="", learning_rate=1e-4, optimizer=optimizer, epochs=3)
        )
    losses = [[row["loss"] for row in metrics(tmp_path / name)] for name in two_engines]
    np.testing.assert_allclose(*losses, rtol=2e-4)
    one, other = (load(tmp_path / name, engine=name).encode(["open a socket"]) for name in two_engines)
    assert (one * other).sum() > 1 - 1e-6


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("shape", [(7,), (5, 300)])
def test_no_two_moments_share_memory(engine_name: str, name: str, shape: tuple[int, ...]):
    state = RULES[name].initial(on(engine_name, np.ones(shape, np.float32)))
    if engine_name == "torch":
        assert len({each.data_ptr() for each in state}) == len(state)


def test_what_torch_is_given_is_copied(torch_engine: str):
    from mlx_metaembed.engine import choose
    from mlx_metaembed.xp import constant

    given = np.zeros(3, np.float32)
    held = choose(torch_engine).array(given)
    shared = constant(given, held)
    held += 1
    shared += 2
    assert given.tolist() == [0, 0, 0] and held.tolist() == [1, 1, 1] and shared.tolist() == [2, 2, 2]


def test_the_moments_of_a_long_run_differ(torch_engine: str, tiny: Path, pairs: Path, tmp_path: Path):
    train(recipe(tiny, pairs, tmp_path / "out", engine=torch_engine, optimizer="adamw_8bit", fsq=""))
    state = safetensors.read(tmp_path / "out" / "metaembed" / "state.safetensors")
    name = "trunk.encoder.layer.0.output.dense.weight"
    assert not np.array_equal(state[f"{name}.1"], state[f"{name}.3"])
    assert json.loads(safetensors.metadata(tmp_path / "out" / "metaembed" / "state.safetensors")["loss_scale"])
