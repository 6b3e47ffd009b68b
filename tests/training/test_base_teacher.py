"""The model that a run starts from as its teacher: what the term costs, that it keeps the vectors, and resuming."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from runs import metrics, recipe, stop_after, weights_of

from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError, StoppedError
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.long_form import long_form
from mlx_metaembed.recipe.tables import DataTable, ObjectiveTable, TeacherTable
from mlx_metaembed.training import train

PLAIN = {"fsq": "", "matryoshka": (), "iters": 6, "learning_rate": 1e-3}


def moved(base: Path, out: Path, pairs: Path, engine: str) -> float:
    """1 - cosine of each anchor's vector to the base's, averaged."""
    texts = [json.loads(line)["anchor"] for line in pairs.read_text().splitlines()]
    one, other = (load(path, engine=engine, dtype="float32").encode(texts) for path in (base, out))
    return float(np.mean(1 - np.sum(one * other, axis=1)))


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_it_keeps_the_vectors_near_the_base(engine_name: str, kind: str, tiny: Path, pairs: Path, tmp_path: Path):
    settings = PLAIN | {"engine": engine_name, "train": kind, "dtype": "float32"}
    train(recipe(tiny, pairs, tmp_path / "free", **settings))
    train(recipe(tiny, pairs, tmp_path / "near", distill_from_base=50.0, **settings))
    rows = metrics(tmp_path / "near")
    # Before the first update a text's vector is the base's.
    assert rows[0]["loss/base_anchor"] == pytest.approx(0, abs=1e-6) and rows[-1]["loss/base_positive"] > 1e-6
    free, near = (moved(tiny, tmp_path / name, pairs, engine_name) for name in ("free", "near"))
    assert near < free / 2
    assert not list((tmp_path / "near").glob("taught-*"))


def test_it_is_the_run_with_the_base_s_vectors_in_files(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    given = recipe(tiny, pairs, tmp_path / "base", distill_from_base=4.0, engine=engine_name, dtype="float32", **PLAIN)
    train(given)
    long, model = long_form(given), load(tiny, engine=engine_name, dtype="float32")
    rows = [json.loads(line) for line in pairs.read_text().splitlines()]
    teachers, objectives = [], [long.objectives[0]]
    for role in ("anchor", "positive"):
        np.save(tmp_path / f"{role}.npy", model.encode([row[role] for row in rows]))
        teachers.append(TeacherTable(role, str(tmp_path / f"{role}.npy")))
        objectives.append(ObjectiveTable(role, "data", "dense", "distillation", 2.0, teacher=role, texts=role))
    out = str(tmp_path / "files")
    train(replace(long, out=out, teachers=tuple(teachers), objectives=tuple(objectives)))
    first, second = weights_of(tmp_path / "base"), weights_of(tmp_path / "files")
    # What moves no vector, a bias of keys or a moment, is rounding noise.
    for name in (name for name in first if name.startswith("model.") and "key.bias" not in name):
        np.testing.assert_allclose(second[name], first[name], atol=2e-5, err_msg=name)


def test_both_engines_end_alike(two_engines: tuple[str, str], tiny: Path, pairs: Path, tmp_path: Path):
    for name in two_engines:
        settings = PLAIN | {"learning_rate": 1e-4, "engine": name, "dtype": "float32"}
        train(recipe(tiny, pairs, tmp_path / name, distill_from_base=4.0, **settings))
    first, second = (weights_of(tmp_path / name) for name in two_engines)
    for name in first:
        if name.startswith("model."):
            np.testing.assert_allclose(second[name], first[name], atol=5e-5, err_msg=name)


@pytest.mark.parametrize("lost", [False, True], ids=["the base's vectors are there", "they are lost"])
def test_a_stopped_run_ends_as_one_that_was_not(tiny: Path, pairs: Path, tmp_path: Path, lost: bool):
    settings = PLAIN | {"distill_from_base": 4.0}
    train(recipe(tiny, pairs, tmp_path / "whole", **settings))
    with pytest.raises(StoppedError):
        train(recipe(tiny, pairs, tmp_path / "cut", **settings), callbacks=[stop_after(3)])
    (kept,) = (tmp_path / "cut").glob("taught-*")
    if lost:
        shutil.rmtree(kept)
    train(recipe(tiny, pairs, tmp_path / "cut", **settings), resume=True)
    whole, cut = (weights_of(tmp_path / name) for name in ("whole", "cut"))
    assert all(np.array_equal(cut[name], array) for name, array in whole.items())


def test_it_teaches_on_texts_of_their_own(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    texts = [f"walk a tree {row}" for row in range(16)]
    (tmp_path / "old.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    given = Recipe(
        model=str(tiny),
        out=str(tmp_path / "out"),
        sources=(DataTable("pairs", str(pairs)), DataTable("old", str(tmp_path / "old.jsonl"))),
        objectives=(
            ObjectiveTable("new", "pairs", loss="info_nce"),
            ObjectiveTable("kept", "old", loss="distillation", weight=10.0, teacher="base"),
        ),
        multi_dataset_batch_sampler="round_robin",
        batch_size=8,
        iters=4,
        learning_rate=1e-3,
        engine=engine_name,
    )
    train(given)
    kept = [row["loss/kept"] for row in metrics(tmp_path / "out") if "loss/kept" in row]
    assert len(kept) == 2 and all(-1e-6 <= each < 0.5 for each in kept)


def test_a_dense_module_changes_the_width(tiny: Path, pairs: Path, tmp_path: Path):
    with pytest.raises(CallError, match=r"32 features, .*16"):
        train(recipe(tiny, pairs, tmp_path / "out", distill_from_base=1.0, dense=16, **PLAIN))
    assert not (tmp_path / "out").exists()


def test_a_file_may_be_called_base(tiny: Path, pairs: Path, tmp_path: Path):
    rows = [json.loads(line) for line in pairs.read_text().splitlines()]
    np.save(tmp_path / "t.npy", np.ones((len(rows), 32), np.float32))
    long = long_form(recipe(tiny, pairs, tmp_path / "out", engine="mlx", **PLAIN))
    taught = ObjectiveTable("near", "data", "dense", "distillation", teacher="base", texts="anchor")
    train(replace(long, teachers=(TeacherTable("base", str(tmp_path / "t.npy")),), objectives=(taught,)))
    assert metrics(tmp_path / "out")[0]["loss"] > 0.1
