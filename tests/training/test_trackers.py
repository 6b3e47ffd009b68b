"""Several callbacks of one run, and its rows in TensorBoard and Weights & Biases, both without a network."""

import json
import struct
import sys
from pathlib import Path

import pytest
from evaluated_runs import evaluated, held_out
from runs import metrics, recipe, stop_after

from mlx_metaembed.errors import CallError, JobError, StoppedError
from mlx_metaembed.training import Callbacks, train
from mlx_metaembed.training.trackers.rows import numbers, told


def test_every_one_of_several_callbacks_is_told(tiny: Path, pairs: Path, tmp_path: Path):
    heard: list[tuple[str, int]] = []
    asked: list[str] = []

    def listener(name: str, stop: bool) -> Callbacks:
        return Callbacks(
            step=lambda row: heard.append((name, row["step"])),
            stopped=lambda: asked.append(name) or (stop and len(heard) >= 4),
        )

    listeners = [listener("one", True), listener("two", False)]
    with pytest.raises(StoppedError, match="Stopped after step 2"):
        train(recipe(tiny, pairs, tmp_path / "out"), callbacks=listeners)
    assert heard == [("one", 1), ("two", 1), ("one", 2), ("two", 2)] and asked == ["one", "two"] * 2


@pytest.mark.parametrize("given", [Callbacks(), [print], "tensorboard"])
def test_what_are_no_callbacks_is_refused(tiny: Path, pairs: Path, tmp_path: Path, given: object):
    with pytest.raises(CallError, match=r"callbacks = .*: expected a list of Callbacks"):
        train(recipe(tiny, pairs, tmp_path / "out"), callbacks=given)
    assert not (tmp_path / "out").exists()


def test_a_tracker_gets_numbers_alone_and_no_row_twice():
    row = {"step": 3, "steps": 9, "loss": 1.5, "grad_norm": None, "eval/mrr@10": 0.5, "done": True}
    assert numbers(row) == {"loss": 1.5, "eval/mrr@10": 0.5}
    rows: list[int] = []
    callbacks = told(lambda row: rows.append(row["step"]))
    for step in range(3):
        callbacks.evaluated({"step": step})
        if step:
            callbacks.step({"step": step})
    assert rows == [0, 1, 2]


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_missing_package_is_named_before_anything_is_written(
    tiny: Path, pairs: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
):
    # What such packages leave behind where they ran is not the package.
    (tmp_path / "here" / name).mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "here")])
    monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(CallError, match=rf"report_to = '{name}' needs {name}, .*\[{name}\]"):
        train(recipe(tiny, pairs, tmp_path / "out", report_to=(name,)))
    assert not (tmp_path / "out").exists()


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What the event files of a folder hold, oldest first."""
    from tensorboard.compat.proto.event_pb2 import Event

    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        content, at = path.read_bytes(), 0
        while at < len(content):
            # A record: its length, a checksum, the bytes, a checksum.
            (length,) = struct.unpack_from("<Q", content, at)
            event = Event.FromString(content[at + 12 : at + 12 + length])
            at += 16 + length
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.tensor.float_val[0]))
    return found


def test_tensorboard_has_the_rows(tensorboard: str, tiny: Path, pairs: Path, tmp_path: Path):
    out = tmp_path / "out"
    settings = evaluated(tiny, pairs, out, held_out(tmp_path, "ndcg@10"), report_to=(tensorboard,), eval_steps=5)
    with pytest.raises(JobError):
        train(settings, callbacks=[stop_after(4)])
    train(settings, resume=True)
    found, rows = scalars(out / "metaembed" / "tensorboard"), metrics(out)
    assert [step for step, _ in found["train/loss"]] == list(range(1, 11))
    assert [value for _, value in found["train/loss"]] == pytest.approx([row["loss"] for row in rows[1:]])
    measured = [(row["step"], row["eval/ndcg@10"]) for row in rows if "eval/ndcg@10" in row]
    assert [step for step, _ in measured] == [0, 5, 10]
    assert found["eval/ndcg@10"] == [(step, pytest.approx(value)) for step, value in measured]


def test_wandb_has_the_rows_offline(
    wandb: str, tiny: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
):
    for name, value in {"MODE": "offline", "ERROR_REPORTING": "false", "CACHE_DIR": "", "CONFIG_DIR": ""}.items():
        monkeypatch.setenv(f"WANDB_{name}", value or str(tmp_path / name))
    out = tmp_path / "out"
    settings = evaluated(tiny, pairs, out, held_out(tmp_path, "ndcg@10"), report_to=(wandb,), eval_steps=5)
    ids = []
    keep = Callbacks(step=lambda row: ids.append(json.loads((out / "metaembed" / "run.json").read_text())["run"]))
    train(settings, callbacks=[keep])
    (path,) = (out / "metaembed" / "wandb").glob("offline-run-*/run-*.wandb")
    # A resumed run goes on under the same id.
    assert path.name == f"run-{ids[0]}.wandb"
    content = path.read_bytes()
    assert content.count(b"eval/ndcg@10") >= 3 and content.count(b"grad_norm") >= 10 and b"learning_rate" in content
    assert capfd.readouterr().out == ""
