"""Weights of objectives that are learned: the sum and its gradient, the same on both engines, resumed, kept apart."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from arrays import on
from runs import metrics, stop_after, weights_of

from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.files import safetensors
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, HeadTable, ObjectiveTable
from mlx_metaembed.training import train, weighting
from mlx_metaembed.training.objective import Objective

NAMES = ("objectives.dense.log_variance", "objectives.quality.log_variance")


def run(tiny: Path, pairs: Path, out: Path, **settings: object) -> Recipe:
    """Pairs for the vector and scores for a head beside it, a batch of each in turn."""
    rated = pairs.with_name("rated.jsonl")
    rated.write_text("".join(json.dumps({"text": f"open {row}", "score": row / 20}) + "\n" for row in range(20)))
    common = {
        "sources": (DataTable("pairs", str(pairs)), DataTable("rated", str(rated))),
        "heads": (HeadTable("quality", "regression"),),
        "objectives": (
            ObjectiveTable("", "pairs", "dense", "info_nce"),
            ObjectiveTable("", "rated", "quality", "mse"),
        ),
        "multi_dataset_batch_sampler": "round_robin",
        "weighting": "uncertainty",
        "batch_size": 8,
        "iters": 6,
        "learning_rate": 1e-4,
        "dtype": "float32",
        "warmup_ratio": 0.0,
        "lr_schedule": "constant",
    }
    return Recipe(model=str(tiny), out=str(out), **common | settings)


def learned(out: Path) -> dict[str, float]:
    """The log-variances that a run ended with."""
    state = safetensors.read(out / "metaembed" / "state.safetensors")
    return {name: state[name].item() for name in NAMES}


@pytest.mark.parametrize(
    ("loss", "value", "weight"),
    [
        # exp(-log 4) * 3 + log(4) / 2, and half of the first part for squared errors.
        ("info_nce", 3 / 4 + math.log(4) / 2, 1 / 4),
        ("mse", 3 / 8 + math.log(4) / 2, 1 / 8),
    ],
)
def test_an_objective_adds_its_loss_over_the_variance(engine_name: str, loss: str, value: float, weight: float):
    objective = Objective("dense", "pairs", "dense", LOSSES[loss](), 1.0)
    s = on(engine_name, np.array([math.log(4)], np.float32))
    added, by = weighting.term(objective, on(engine_name, np.array(3.0, np.float32)), {NAMES[0]: s})
    assert float(added) == pytest.approx(value, rel=1e-6) and float(by) == pytest.approx(weight, rel=1e-6)


def test_a_fixed_objective_adds_its_weight_times_its_loss(engine_name: str):
    objective = Objective("dense", "pairs", "dense", LOSSES["mse"](), 0.5)
    added, by = weighting.term(objective, on(engine_name, np.array(3.0, np.float32)), {})
    assert float(added) == 1.5 and by is None


def test_variances_go_the_way_of_their_losses(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    train(run(tiny, pairs, tmp_path / "out", engine=engine_name), callbacks=[])
    rows, found = metrics(tmp_path / "out"), learned(tmp_path / "out")
    # The gradient of s is 1/2 - exp(-s) loss; AdamW moves by about its rate, .01, at each of the three batches.
    assert all(row["loss/dense"] > 1 for row in rows if "loss/dense" in row)
    assert 0.02 < found[NAMES[0]] < 0.031
    # Squared errors below 1 make a variance smaller: 1/2 - exp(-s) loss / 2.
    assert all(row["loss/quality"] < 1 for row in rows if "loss/quality" in row)
    assert -0.031 < found[NAMES[1]] < -0.02
    weights = {name: [row[name] for row in rows if name in row] for name in ("weight/dense", "weight/quality")}
    assert weights["weight/dense"][0] == 1 and weights["weight/quality"][0] == 0.5
    assert weights["weight/dense"] == sorted(weights["weight/dense"], reverse=True)
    assert weights["weight/quality"] == sorted(weights["weight/quality"])


def test_both_engines_learn_the_same_weights(two_engines: tuple[str, str], tiny: Path, pairs: Path, tmp_path: Path):
    for name in two_engines:
        train(run(tiny, pairs, tmp_path / name, engine=name), callbacks=[])
    one, other = (learned(tmp_path / name) for name in two_engines)
    assert one == pytest.approx(other, abs=1e-6)
    heads = [weights_of(tmp_path / name)["heads.safetensors:quality.linear.weight"] for name in two_engines]
    np.testing.assert_allclose(*heads, atol=1e-6)


@pytest.mark.parametrize("settings", [{}, {"train": "heads"}, {"grad_cache": "on", "chunk_tokens": 32}])
def test_a_resumed_run_has_the_bits_of_a_whole_one(
    engine_name: str, tiny: Path, pairs: Path, tmp_path: Path, settings: dict
):
    if settings.get("train") == "heads":
        settings = settings | {
            "heads": (HeadTable("quality", "regression"), HeadTable("codes", "fsq", {"levels": "4x8"}))
        }
        settings["objectives"] = (
            ObjectiveTable("dense", "pairs", "codes", "info_nce"),
            ObjectiveTable("", "rated", "quality", "mse"),
        )
    whole, parts = (run(tiny, pairs, tmp_path / name, engine=engine_name, **settings) for name in ("whole", "parts"))
    train(whole, callbacks=[])
    with pytest.raises(JobError, match="Stopped after step 3 of 6"):
        train(parts, callbacks=[stop_after(3)])
    train(parts, resume=True, callbacks=[])
    expected, found = weights_of(tmp_path / "whole"), weights_of(tmp_path / "parts")
    assert expected.keys() == found.keys() and f"state.safetensors:{NAMES[0]}" in found
    assert all(np.array_equal(found[name], each) for name, each in expected.items())
    # The model has none of them.
    assert not [name for name in expected if "log_variance" in name and not name.startswith("state.safetensors:")]


def test_a_checkpoint_without_its_weights_is_damaged(engine_name: str, tmp_path: Path):
    safetensors.write(tmp_path / "state.safetensors", {"trunk.x.0": np.zeros(2, np.float32)})
    with pytest.raises(CallError, match=r"lacks objectives\.dense\.log_variance, which the run has learned"):
        weighting.read(tmp_path / "state.safetensors", {NAMES[0]: np.zeros(1, np.float32)})


def test_a_head_that_a_batch_does_not_use_stays(two_engines: tuple[str, str], tiny: Path, pairs: Path, tmp_path: Path):
    for name in two_engines:
        recipe = run(tiny, pairs, tmp_path / name, engine=name, weighting="fixed", head_learning_rate=1e-2)
        train(recipe, callbacks=[])
    one, other = (weights_of(tmp_path / name)["heads.safetensors:quality.linear.bias"] for name in two_engines)
    # A gradient of 0 would move it on its moments, half a step at each of the three batches of pairs.
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_what_can_not_be_learned_is_refused(tiny: Path, pairs: Path, tmp_path: Path):
    objectives = (
        ObjectiveTable("", "pairs", "dense", "info_nce"),
        ObjectiveTable("", "rated", "quality", "mse", 0.5),
    )
    with pytest.raises(CallError, match=r"objective 'quality': weight = 0.5 is fixed, and weighting = 'uncertainty'"):
        train(run(tiny, pairs, tmp_path / "out", objectives=objectives), callbacks=[])
    alone = {"sources": (DataTable("pairs", str(pairs)),), "heads": (), "objectives": objectives[:1]}
    with pytest.raises(CallError, match="and there is one; expected two or more"):
        train(run(tiny, pairs, tmp_path / "out", multi_dataset_batch_sampler="proportional", **alone), callbacks=[])
    with pytest.raises(CallError, match=r"weighting_learning_rate = 0.1 belongs to weighting = 'uncertainty'"):
        Recipe(model="m", weighting_learning_rate=0.1)
    with pytest.raises(CallError, match=r"weighting = 'uncertain': expected one of fixed, uncertainty"):
        Recipe(model="m", weighting="uncertain")
