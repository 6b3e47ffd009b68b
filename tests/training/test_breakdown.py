"""A run's metrics by data set: counted from the first step on, whatever is logged, and the same once it was resumed."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from runs import metrics, recipe, stop_after

from mlx_metaembed.errors import JobError
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, HeadTable, ObjectiveTable
from mlx_metaembed.training import train
from mlx_metaembed.training.breakdown import data_sets, loss_ends


def two(tiny: Path, pairs: Path, out: Path, **settings: object) -> Recipe:
    """40 pairs and 16 rated texts, in batches of 8: one of each in turn, 4 an epoch."""
    rated = out.parent / "rated.jsonl"
    rated.write_text("".join(json.dumps({"text": f"open {row}", "score": row / 16}) + "\n" for row in range(16)))
    tables = {
        "sources": (DataTable("pairs", str(pairs)), DataTable("rated", str(rated))),
        "heads": (HeadTable("quality", "regression"),),
        "objectives": (
            ObjectiveTable("vector", "pairs", "dense", "info_nce"),
            ObjectiveTable("quality", "rated", "quality", "mse", 0.5),
        ),
    }
    whole = recipe(tiny, pairs, out, matryoshka=(), fsq="", multi_dataset_batch_sampler="round_robin")
    return Recipe(**asdict(whole) | {"data": ""} | tables | {"epochs": None, "iters": 6} | settings)


def test_each_set_has_its_share_tokens_padding_and_loss(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    result = train(two(tiny, pairs, tmp_path / "out", engine=engine_name), callbacks=[])
    rows = metrics(tmp_path / "out")
    assert [[name for name in ("pairs", "rated") if f"set/{name}/loss" in row] for row in rows] == [
        *[["pairs"], ["rated"]] * 3
    ]
    assert [row["set/pairs/batches"] for row in rows] == [1, 1, 2, 2, 3, 3]
    pairs_row, rated_row = rows[-2], rows[-1]
    assert pairs_row["set/pairs/loss"] == pairs_row["loss"] == pytest.approx(pairs_row["loss/vector"])
    assert rated_row["set/rated/loss"] == rated_row["loss"] == pytest.approx(rated_row["loss/quality"] / 2)
    first, second = result.data_sets
    assert (first["name"], first["rows"], first["share"]) == ("pairs", 40, 0.5)
    assert (second["name"], second["rows"], second["share"]) == ("rated", 16, 0.5)
    # "open" and a number between [CLS] and [SEP]: four tokens, of which none is padding; three batches of eight.
    assert second["tokens"] == rated_row["set/rated/tokens"] == 3 * 8 * 4
    assert second["padding"] == 0 < first["padding"] < 1
    real = first["tokens"] + second["tokens"]
    padded = rated_row["set/pairs/padded_tokens"] + rated_row["set/rated/padded_tokens"]
    assert result.padding == pytest.approx(1 - real / padded)
    assert (first["loss_first"], first["loss_last"]) == (rows[0]["loss"], rows[4]["loss"])
    assert result.loss_first == (rows[0]["loss"] + rows[1]["loss"]) / 2
    assert result.loss_last == (rows[4]["loss"] + rows[5]["loss"]) / 2
    assert json.loads((tmp_path / "out/metaembed/result.json").read_text())["data_sets"] == list(result.data_sets)


def test_a_row_has_the_sets_since_the_last_one(tiny: Path, pairs: Path, tmp_path: Path):
    train(two(tiny, pairs, tmp_path / "each"), callbacks=[])
    train(two(tiny, pairs, tmp_path / "some", steps_per_report=4), callbacks=[])
    each, some = metrics(tmp_path / "each"), metrics(tmp_path / "some")
    assert [row["step"] for row in some] == [4, 6]
    # Every second row would have shown the rated texts alone.
    assert some[0]["set/pairs/loss"] == (each[0]["loss"] + each[2]["loss"]) / 2
    assert some[0]["loss/quality"] == (each[1]["loss/quality"] + each[3]["loss/quality"]) / 2
    assert some[1]["set/rated/loss"] == each[5]["loss"]
    counts = [name for name in each[5] if name.startswith("set/") and not name.endswith("/loss")]
    assert len(counts) == 8 and all(some[1][name] == each[5][name] for name in counts)


def test_a_step_of_several_batches_has_the_mean_of_each_set(tiny: Path, pairs: Path, tmp_path: Path):
    train(two(tiny, pairs, tmp_path / "out", grad_accumulation_steps=4, iters=2), callbacks=[])
    row = metrics(tmp_path / "out")[0]
    assert (row["set/pairs/batches"], row["set/rated/batches"]) == (2, 2)
    assert (row["set/pairs/loss"] + row["set/rated/loss"]) / 2 == pytest.approx(row["loss"])


def test_a_resumed_run_counts_on(tiny: Path, pairs: Path, tmp_path: Path):
    settings = {"steps_per_report": 4, "save_every": 3}
    train(two(tiny, pairs, tmp_path / "whole", **settings), callbacks=[])
    with pytest.raises(JobError):
        train(two(tiny, pairs, tmp_path / "parts", **settings), callbacks=[stop_after(3)])
    train(two(tiny, pairs, tmp_path / "parts", **settings), resume=True, callbacks=[])
    # The checkpoint of step 3 has a log of no row.
    whole, parts = metrics(tmp_path / "whole")[-1], metrics(tmp_path / "parts")[-1]
    same = [name for name in whole if name.startswith("set/")]
    assert len(same) == 10 and {name: parts[name] for name in same} == {name: whole[name] for name in same}


def test_one_set_and_one_objective_are_not_broken_down(tiny: Path, pairs: Path, tmp_path: Path):
    result = train(recipe(tiny, pairs, tmp_path / "out", matryoshka=(), fsq="", iters=2), callbacks=[])
    assert result.data_sets == []
    assert not [name for row in metrics(tmp_path / "out") for name in row if name.startswith(("set/", "loss/"))]


def test_a_log_may_be_damaged():
    rows = [{"set/a/batches": 3, "set/a/tokens": "x", "set/a/padded_tokens": -1, "set/a/loss": "y", "loss": 2.0}]
    none = {"tokens": 0, "padding": None, "loss_first": None, "loss_last": None}
    assert data_sets(rows) == [{"name": "a", "rows": 0, "share": 1.0} | none]
    assert data_sets([]) == data_sets([{"loss": 1.0}]) == [] and loss_ends(rows) is None
    assert loss_ends([{"loss": 3.0}, {"loss": 1.0}]) == (3.0, 1.0)
