"""Evaluation while a run goes: the numbers of `metaembed eval`, the best step kept, and nothing else changed by it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluated_runs import best_of, evaluated, evaluations, falling, held_out, written
from runs import final, metrics, recipe, stop_after
from tiny import TEXTS, tiny_folder

from mlx_metaembed import data
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.evaluate.model import measure_model
from mlx_metaembed.folder.module_types import DenseModule
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, ObjectiveTable
from mlx_metaembed.training import Callbacks, train


def measured(folder: Path, rows: Path, engine: str, dims: tuple[int, ...] | None = None) -> dict[str, float]:
    """What `metaembed eval` gives."""
    return measure_model(load(folder, engine=engine), data.read(rows), dims)[-1]


KINDS = {
    "ndcg@10": ("ndcg@10", "recall@10", "mrr@10", "map@10", "precision@10"),
    "spearman": ("spearman", "pearson"),
    "accuracy": ("accuracy", "macro_f1"),
}


@pytest.mark.parametrize("metric", KINDS)
def test_the_numbers_are_those_of_the_saved_folder(
    engine_name: str, tiny: Path, pairs: Path, tmp_path: Path, metric: str
):
    rows, out, base = held_out(tmp_path, metric), tmp_path / "out", tmp_path / "base"
    tiny_folder(base, prompts={"query": "open ", "document": "join two "}, include_prompt=False)
    settings = evaluated(
        base, pairs, out, rows, engine=engine_name, matryoshka=(8, 16), max_seq_length=20, chunk_tokens=None
    )
    result = train(settings)
    found = evaluations(out)
    assert list(found) == [0, 2, 4, 6, 8, 10] and result.metric == metric
    assert all(tuple(each) == tuple(f"eval/{name}" for name in KINDS[metric]) for each in found.values())
    after, before = (
        measured(out, rows, engine_name, (8,)),
        measure_model(load(base, engine=engine_name, max_seq_length=20), data.read(rows), (8,))[-1],
    )
    for name in KINDS[metric]:
        assert found[result.best_step][f"eval/{name}"] == after[name]
        assert found[0][f"eval/{name}"] == before[name]
    assert result.best_metric == found[result.best_step][f"eval/{metric}"]
    assert (result.start, result.last) == (found[0][f"eval/{metric}"], found[10][f"eval/{metric}"])


def test_each_side_is_cut_where_the_folder_says(engine_name: str, pairs: Path, tmp_path: Path):
    base, out, rows = tmp_path / "base", tmp_path / "out", held_out(tmp_path, "ndcg@10")
    tiny_folder(base, query_length=5, document_length=9)
    train(evaluated(base, pairs, out, rows, engine=engine_name, matryoshka=(), chunk_tokens=None, iters=1, epochs=None))
    model, found = load(base, engine=engine_name), evaluations(out)
    before = measure_model(model, data.read(rows))[-1]
    whole = measure_model(load(base, engine=engine_name, max_seq_length=30), data.read(rows))[-1]
    assert found[0]["eval/ndcg@10"] == before["ndcg@10"] != whole["ndcg@10"]
    assert found[1]["eval/ndcg@10"] == measured(out, rows, engine_name)["ndcg@10"]


def test_a_run_without_a_width_is_measured_at_the_full_one(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    out = tmp_path / "out"
    settings = evaluated(
        tiny, pairs, out, held_out(tmp_path, "spearman"), engine=engine_name, matryoshka=(), metric="pearson"
    )
    result = train(settings)
    assert next(iter(evaluations(out)[0])) == "eval/pearson" and result.metric == "pearson"
    after = measured(out, held_out(tmp_path, "spearman"), engine_name)
    assert after["dimensions"] == 32 and result.best_metric == pytest.approx(after["pearson"], abs=1e-6)


@pytest.mark.parametrize("metric", ["ndcg@10", "spearman"])
def test_each_width_and_code_is_measured_beside(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path, metric: str):
    rows, out = held_out(tmp_path, metric), tmp_path / "out"
    result = train(evaluated(tiny, pairs, out, rows, engine=engine_name, matryoshka=(16, 8), fsq="4x8"))
    lines = measure_model(load(out, engine=engine_name), data.read(rows), (16, 8), ("codes",))
    expected = {f"eval@{line['name']}/{metric}": line[metric] for line in lines}
    assert list(expected) == [f"eval@{name}/{metric}" for name in ("16", "8", "codes")]
    row = next(row for row in metrics(out) if row["step"] == result.best_step)
    assert {name: row[name] for name in row if name.startswith("eval@")} == expected
    assert row[f"eval/{metric}"] == row[f"eval@16/{metric}"] == result.best_metric


def test_widths_of_tables_are_measured(tiny: Path, pairs: Path, tmp_path: Path):
    tables = {
        "data": "",
        "matryoshka": (),
        "sources": (DataTable("pairs", str(pairs)),),
        "objectives": (ObjectiveTable("", "pairs", "dense", "info_nce", matryoshka=(32, 8)),),
    }
    train(replace(evaluated(tiny, pairs, tmp_path / "out", held_out(tmp_path, "spearman")), **tables))
    assert {name for row in metrics(tmp_path / "out") for name in row if name.startswith("eval@")} == {
        *("eval@32/spearman", "eval@8/spearman")
    }


@pytest.mark.parametrize("trains", ["dense", "own dense", "codes"])
def test_heads_alone_are_measured_too(engine_name: str, pairs: Path, tmp_path: Path, trains: str):
    rows, out, base = held_out(tmp_path, "spearman"), tmp_path / "out", tmp_path / "base"
    tiny_folder(base, dense=(DenseModule("2_Dense", 32, 24),) if trains == "own dense" else ())
    heads = {"dense": {"dense": 16}, "own dense": {}, "codes": {"fsq": "4x8"}}[trains]
    heads |= {"train": "heads", "engine": engine_name, "matryoshka": (), "head_learning_rate": 0.02}
    result = train(evaluated(base, pairs, out, rows, **heads))
    found = evaluations(out)
    assert len({each["eval/spearman"] for each in found.values()}) > 3
    model = load(out, engine=engine_name)
    codes = ("codes",) if trains == "codes" else ()
    after = measure_model(model, data.read(rows), None, codes)[-1]
    assert after["dimensions"] == {"dense": 16, "own dense": 24, "codes": 8}[trains]
    assert result.best_metric == pytest.approx(after["spearman"], abs=1e-6)
    assert not list(out.glob("pooled-*")) and not list(out.glob("tokens-*"))


def test_an_evaluation_changes_no_step(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    plain = recipe(tiny, pairs, tmp_path / "plain", engine=engine_name, dropout=0.1)
    train(plain)
    settings = replace(plain, out=str(tmp_path / "out"), eval_data=str(held_out(tmp_path, "ndcg@10")), eval_steps=1)
    train(settings)
    losses = [[row["loss"] for row in metrics(tmp_path / name) if row["step"]] for name in ("plain", "out")]
    assert losses[0] == losses[1] and len(losses[0]) == 10


def test_by_default_it_is_measured_every_tenth_of_the_run(tiny: Path, pairs: Path, tmp_path: Path):
    settings = evaluated(
        tiny, pairs, tmp_path / "a", held_out(tmp_path, "accuracy"), eval_steps=None, iters=23, epochs=None
    )
    train(settings)
    assert list(evaluations(tmp_path / "a")) == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 23]
    # What is measured is logged, whatever steps are.
    train(replace(settings, out=str(tmp_path / "b"), iters=5, eval_steps=3, steps_per_report=4))
    assert [row["step"] for row in metrics(tmp_path / "b")] == [0, 3, 4, 5]


@pytest.fixture
def worse_later(tiny: Path, pairs: Path, tmp_path: Path) -> Callable[..., Recipe]:
    return lambda name, **settings: falling(tiny, pairs, tmp_path / name, **settings)


def test_the_best_step_becomes_the_model(engine_name: str, worse_later: Callable[..., Recipe], tmp_path: Path):
    heard: list[dict] = []
    callbacks = [Callbacks(evaluated=heard.append), Callbacks()]
    result = train(worse_later("out", engine=engine_name, save_every=1), callbacks=callbacks)
    out = Path(result.out)
    best = best_of(out)
    assert result.best_step == best and 1 < best < 10 and result.last < result.best_metric
    assert [row["step"] for row in heard] == list(range(11)) and result.steps == 10 and not result.stopped_early
    said = json.loads((out / "metaembed" / "best.json").read_text())
    assert (said["metric"], said["step"], said["value"]) == ("spearman", best, result.best_metric)
    # The same as a run that ended there, whose schedule is that of the whole.
    whole = worse_later("whole", engine=engine_name)
    with pytest.raises(JobError):
        train(whole, callbacks=[stop_after(best)])
    assert f"checkpoint-{best}" in [path.name for path in Path(whole.out).iterdir()]
    there, expected = final(out), final(Path(whole.out) / f"checkpoint-{best}")
    for name, array in expected.items():
        np.testing.assert_array_equal(there[name], array, err_msg=name)
    assert [row["step"] for row in metrics(out)] == list(range(11))
    assert f"| spearman on spearman.jsonl | {result.best_metric:.4f} at step {best}," in (out / "README.md").read_text()


@pytest.mark.parametrize("limit", [1, 2])
def test_the_best_checkpoint_stays_beside_the_limit(worse_later: Callable[..., Recipe], limit: int):
    settings = worse_later("out", save_every=1, save_total_limit=limit)
    with pytest.raises(JobError):
        train(settings, callbacks=[stop_after(9)])
    best = best_of(Path(settings.out))
    assert best < 8
    kept = sorted(int(path.name.split("-")[1]) for path in Path(settings.out).glob("checkpoint-*"))
    assert kept == [best, *range(10 - limit, 10)]
    for step in kept:
        said = json.loads((Path(settings.out) / f"checkpoint-{step}" / "metaembed" / "best.json").read_text())
        assert said["step"] == best


@pytest.mark.parametrize("at", [(1,), (2, 5), ("best", 9)])
def test_a_resumed_run_has_the_same_best(engine_name: str, worse_later: Callable[..., Recipe], at: tuple):
    whole, parts = (worse_later(name, engine=engine_name, save_every=3) for name in ("whole", "parts"))
    expected = train(whole)
    for number, given in enumerate(at):
        # After the best step, so that its checkpoint has to outlive others.
        step = given if given != "best" else expected.best_step + 1
        with pytest.raises(JobError, match=f"Stopped after step {step} of 10"):
            train(parts, resume=number > 0, callbacks=[stop_after(step)])
    result = train(parts, resume=True)
    assert evaluations(Path(parts.out)) == evaluations(Path(whole.out))
    fields = ("metric", "start", "best_step", "best_metric", "last", "steps")
    assert [getattr(result, name) for name in fields] == [getattr(expected, name) for name in fields]
    there, ought = final(Path(parts.out)), final(Path(whole.out))
    for name, array in ought.items():
        np.testing.assert_array_equal(there[name], array, err_msg=name)


@pytest.mark.parametrize("damage", [True, False])
def test_a_best_checkpoint_that_is_lost_gives_way_to_the_next(worse_later: Callable[..., Recipe], damage: bool):
    settings = worse_later("out", save_every=3, save_total_limit=3)
    with pytest.raises(JobError):
        train(settings, callbacks=[stop_after(9)])
    out = Path(settings.out)
    best = best_of(out)
    notes: list[str] = []
    lost = out / f"checkpoint-{best}"
    if damage:
        (lost / "model.safetensors").write_bytes(b"")
    else:
        shutil.rmtree(lost)
    result = train(settings, resume=True, callbacks=[Callbacks(note=notes.append)])
    assert any(
        f"checkpoint-{best} is damaged" in note if damage else f"step {best}, the best so far" in note for note in notes
    )
    assert result.best_step not in (None, best) and (out / "modules.json").is_file()
    assert measured(out, Path(settings.eval_data), "mlx", (32,))["spearman"] == pytest.approx(
        result.best_metric, abs=1e-6
    )


WRONG = {
    "missing": ({"eval_data": "none.jsonl"}, "none.jsonl"),
    "metric": (
        {"metric": "mmr@10"},
        r"metric = 'mmr@10'; did you mean 'mrr@10'\? .*gives mrr@10, ",
    ),
    "of another kind": ({"metric": "spearman"}, r"metric = 'spearman'\. .*is for retrieval and gives .*ndcg@10"),
    "one label": ({"rows": [{"text": "a", "label": "x"}, {"text": "b", "label": "x"}]}, "at least 2 different labels"),
    "one score": ({"rows": [{"sentence1": "a", "sentence2": "b", "score": 1}] * 2}, "2 pairs of different score"),
    "not rows": ({"rows": [{"body": "a"}]}, "body"),
    "columns": ({"eval_columns": "anchor=nope"}, "nope"),
    "width": ({"matryoshka": (99,)}, "32 features"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_rows_that_can_t_be_measured_are_refused_before_anything_is_written(
    tiny: Path, pairs: Path, tmp_path: Path, kind: str
):
    settings, words = dict(WRONG[kind][0]), WRONG[kind][1]
    if rows := settings.pop("rows", None):
        settings["eval_data"] = str(written(tmp_path / "rows.jsonl", rows))
    with pytest.raises(CallError, match=f"(?s){words}"):
        train(evaluated(tiny, pairs, tmp_path / "out", held_out(tmp_path, "ndcg@10"), **settings))
    assert not (tmp_path / "out").exists()


def test_columns_of_eval_data_have_their_own_map(tiny: Path, pairs: Path, tmp_path: Path):
    rows = [{"title": text, "source": f"{text} again"} for text in TEXTS]
    settings = {"eval_columns": "anchor=title,positive=source", "iters": 1, "epochs": None}
    result = train(evaluated(tiny, pairs, tmp_path / "out", written(tmp_path / "rows.jsonl", rows), **settings))
    assert result.metric == "ndcg@10" and result.best_step == 1


def test_what_may_change_when_a_run_goes_on(worse_later: Callable[..., Recipe], tmp_path: Path):
    rows = tmp_path / "rows.jsonl"
    shutil.copyfile(held_out(tmp_path, "spearman"), rows)
    settings = worse_later("out", eval_data=str(rows))
    with pytest.raises(JobError):
        train(settings, callbacks=[stop_after(3)])
    for name, value in {"eval_steps": 2, "metric": "pearson", "eval_data": str(held_out(tmp_path, "accuracy"))}.items():
        with pytest.raises(CallError, match=f"; {name} would change it"):
            train(replace(settings, **{name: value}), resume=True)
    text = rows.read_text()
    rows.write_text(text.replace('"score": 1', '"score": 2'))
    with pytest.raises(CallError, match="eval_data has changed since"):
        train(settings, resume=True)
    rows.write_text(text)
    assert train(replace(settings, early_stopping=50, allow_leak=True), resume=True).steps == 10
