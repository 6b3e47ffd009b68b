"""A run that ends after some evaluations without improvement, and what it says of its end."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from calls import refused, run
from evaluated_runs import best_of, evaluations, falling, held_out
from runs import final, metrics, stop_after

from mlx_metaembed.cli.train import _measured
from mlx_metaembed.errors import JobError
from mlx_metaembed.training import Result, train
from mlx_metaembed.training.best import Best


def test_it_waits_for_so_many_evaluations(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    whole = train(falling(tiny, pairs, tmp_path / "whole", engine=engine_name))
    best = whole.best_step
    assert best < 8
    for patience in (1, 2):
        result = train(
            falling(tiny, pairs, tmp_path / f"early-{patience}", engine=engine_name, early_stopping=patience)
        )
        out = Path(result.out)
        found = [each["eval/spearman"] for step, each in evaluations(out).items() if step]
        waited = len(found) - 1 - found.index(max(found))
        assert result.stopped_early and result.steps == len(found) < 10 and waited == patience
        assert result.best_step == best_of(out) and (out / "modules.json").is_file()
        assert not list(out.glob("checkpoint-*")) and metrics(out)[-1]["step"] == result.steps
    never = train(falling(tiny, pairs, tmp_path / "never", engine=engine_name, early_stopping=9))
    assert not never.stopped_early and never.steps == 10


def test_a_run_that_was_stopped_as_it_would_have_ended_ends_where_it_goes_on(tiny: Path, pairs: Path, tmp_path: Path):
    whole, parts = (
        falling(tiny, pairs, tmp_path / "whole", early_stopping=2),
        falling(tiny, pairs, tmp_path / "parts", early_stopping=2),
    )
    expected = train(whole)
    with pytest.raises(JobError, match=f"Stopped after step {expected.steps}"):
        train(parts, callbacks=[stop_after(expected.steps)])
    result = train(parts, resume=True)
    same = ("steps", "best_step", "best_metric", "last", "start", "stopped_early")
    assert [getattr(result, name) for name in same] == [getattr(expected, name) for name in same]
    there, ought = final(Path(parts.out)), final(Path(whole.out))
    assert all((there[name] == ought[name]).all() for name in ought)


def test_patience_may_change_when_a_run_goes_on(tiny: Path, pairs: Path, tmp_path: Path):
    settings = falling(tiny, pairs, tmp_path / "out", early_stopping=1)
    with pytest.raises(JobError):
        train(settings, callbacks=[stop_after(1)])
    assert train(replace(settings, early_stopping=9), resume=True).steps == 10


def test_equal_values_are_no_improvement():
    best = Best("mrr@10", "key")
    for step, value in enumerate([0.5, 0.25, 0.375, 0.375, 0.125]):
        best = best.after({"step": step, "eval/mrr@10": value})
    assert best == Best("mrr@10", "key", start=0.5, step=2, value=0.375, last=0.125, waited=2)
    assert best.after({"step": 5, "loss": 1.0}) == best


def test_the_command_line_says_it(tiny: Path, pairs: Path, tmp_path: Path):
    rows, out = held_out(tmp_path, "accuracy"), tmp_path / "out"
    words = ["--model", tiny, "--data", pairs, "--out", out, "--batch-size", "8", "--learning-rate", "0.02"]
    words += ["--eval-data", rows, "--eval-steps", "1", "--metric", "macro_f1", "--early-stopping", "2"]
    done = run("train", *words, "--iters", "12", "--json")
    found = json.loads(done.stdout)
    measures = {step: each["eval/macro_f1"] for step, each in evaluations(out).items()}
    assert found["metric"] == "macro_f1" and found["start"] == measures[0]
    assert (
        found["best_metric"] == max(value for step, value in measures.items() if step) == measures[found["best_step"]]
    )
    assert found["last"] == measures[found["steps"]] and found["stopped_early"] is (found["steps"] < 12)
    page = (out / "report.html").read_text()
    assert "Macro F1 on accuracy.jsonl" in page and f"best {found['best_metric']:.3f} at step" in page
    assert f"{found['best_step']} (Macro F1 {found['best_metric']:.3f})" in page
    assert "rows.jsonl" in refused(
        "train", *words[:4], "--out", tmp_path / "no", "--eval-data", tmp_path / "rows.jsonl"
    )
    assert not (tmp_path / "no").exists()


def result(**measured: object) -> Result:
    names = ("out", "rows", "steps", "loss", "loss_first", "loss_last", "seconds", "padding", "shapes")
    plain = dict.fromkeys((*names, "peak_memory_bytes", "planned_memory_bytes", "memory_bytes"), 1)
    return Result(**plain | {"engine": "mlx", "device": "cpu", "dtype": "float32", "steps": 40} | measured)


def test_the_last_lines_say_what_was_won():
    assert _measured(result()) == []
    won = {"metric": "ndcg@10", "start": 0.25, "best_step": 30, "best_metric": 0.5, "last": 0.375}
    assert _measured(result(**won)) == [
        "ndcg@10: 0.5000 at step 30, which the model is from: +0.2500 over the base model's 0.2500, "
        "+0.1250 over the last step's 0.3750"
    ]
    lost = won | {"start": 0.75, "best_step": 40, "last": 0.5, "stopped_early": True}
    assert _measured(result(**lost)) == [
        "ndcg@10: 0.5000 at step 40, which the model is from: -0.2500 over the base model's 0.7500, and no later step",
        "no step was better than the base model; try a lower --learning-rate, or more rows",
        "stopped early: the evaluations after that step brought nothing better",
    ]
    assert json.loads(json.dumps(asdict(result(**won))))["best_step"] == 30
