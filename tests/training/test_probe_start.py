"""Heads of scores that begin at a probe of the model's vectors: what is probed, on both engines, and what is not."""

import json
from pathlib import Path

import numpy as np
import pytest
from runs import stop_after, weights_of

from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError, StoppedError
from mlx_metaembed.heads import probe_start
from mlx_metaembed.heads.linear import linear_initial
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, HeadTable, ObjectiveTable
from mlx_metaembed.training import train

WORDS = ("sort", "open", "walk", "hash")
TEXTS = [f"{WORDS[row % 4]} {row} files" for row in range(40)]
SCORES = [float(row % 4) for row in range(40)]
LABELS = [("red", "green")[row % 4 // 2] for row in range(40)]
STILL = {"iters": 1, "learning_rate": 1e-12, "head_learning_rate": 1e-12}
"""A step that moves nothing: what is left is where it began."""


def run(tiny: Path, out: Path, kind: str = "regression", head: dict | None = None, **settings: object) -> Recipe:
    """A recipe of one head of scores on rows beside `out`."""
    target, values, loss = ("score", SCORES, "mse") if kind == "regression" else ("label", LABELS, "cross_entropy")
    rows = out.parent / f"{kind}.jsonl"
    lines = [{"text": text, target: value} for text, value in zip(TEXTS, values, strict=True)]
    rows.write_text("".join(json.dumps(line) + "\n" for line in lines))
    common = {"batch_size": 8, "iters": 5, "learning_rate": 1e-3, "dtype": "float32", "save_every": 1, "engine": "mlx"}
    return Recipe(
        model=str(tiny),
        out=str(out),
        sources=(DataTable("rows", str(rows)),),
        heads=(HeadTable("own", kind, head or {}),),
        objectives=(ObjectiveTable("own", "rows", "own", loss),),
        **common | settings,
    )


def own(out: Path) -> tuple[np.ndarray, np.ndarray]:
    weights = weights_of(out)
    return weights["heads.safetensors:own.linear.weight"], weights["heads.safetensors:own.linear.bias"]


@pytest.mark.parametrize("train_kind", ["full", "heads"])
def test_a_regression_begins_at_the_ridge_of_its_scores(engine_name: str, tiny: Path, tmp_path: Path, train_kind: str):
    out = tmp_path / "out"
    train(run(tiny, out, engine=engine_name, train=train_kind, **STILL), callbacks=[])
    vectors = load(tiny, engine=engine_name, dtype="float32").encode(TEXTS)
    probe = probe_start.regression(vectors, np.array(SCORES))
    weight, bias = own(out)
    np.testing.assert_allclose(weight, probe["linear.weight"], atol=2e-3)
    np.testing.assert_allclose(bias, probe["linear.bias"], atol=2e-3)


def test_classes_begin_at_their_discriminant(engine_name: str, tiny: Path, tmp_path: Path):
    out = tmp_path / "out"
    train(run(tiny, out, "classification", engine=engine_name, **STILL), callbacks=[])
    model = load(out, engine=engine_name, dtype="float32")
    labels = model.heads["own"].labels
    found = model.apply("own", model.encode(TEXTS)).argmax(1)
    assert np.mean([labels[each] == label for each, label in zip(found, LABELS, strict=True)]) > 0.9


def test_both_engines_end_alike(two_engines: tuple[str, str], tiny: Path, tmp_path: Path):
    for name in two_engines:
        train(run(tiny, tmp_path / name, engine=name), callbacks=[])
    for first, second in zip(*(own(tmp_path / name) for name in two_engines), strict=True):
        np.testing.assert_allclose(first, second, atol=2e-4)


def test_a_stopped_run_goes_on_from_what_the_head_has_learned(tiny: Path, tmp_path: Path):
    train(run(tiny, tmp_path / "whole"), callbacks=[])
    with pytest.raises(StoppedError):
        train(run(tiny, tmp_path / "cut"), callbacks=[stop_after(2)])
    train(run(tiny, tmp_path / "cut"), resume=True, callbacks=[])
    for first, second in zip(own(tmp_path / "whole"), own(tmp_path / "cut"), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_random_start_is_drawn_as_before(tiny: Path, tmp_path: Path):
    train(run(tiny, tmp_path / "out", head={"start": "random"}, **STILL), callbacks=[])
    drawn = linear_initial(1, load(tiny, engine="mlx").dimensions, 0)["linear.weight"]
    np.testing.assert_allclose(own(tmp_path / "out")[0], drawn, atol=1e-6)


def test_a_head_that_goes_on_is_not_begun_anew(tiny: Path, tmp_path: Path):
    train(run(tiny, tmp_path / "first", head={"start": "random"}, **STILL), callbacks=[])
    train(run(tmp_path / "first", tmp_path / "second", **STILL), callbacks=[])
    np.testing.assert_allclose(own(tmp_path / "second")[0], own(tmp_path / "first")[0], atol=1e-6)


def test_a_start_of_another_head_is_refused(tiny: Path, tmp_path: Path):
    with pytest.raises(CallError, match=r"\[\[head\]\] own: start = 'pca' is not known.*probe, random"):
        train(run(tiny, tmp_path / "out", head={"start": "pca"}), callbacks=[])
