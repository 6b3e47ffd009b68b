"""A checkpoint is its run's and whole, or a message says what is wrong and offers the one before it."""

import json
import os
import shlex
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from runs import final, metrics, recipe, stop_after

from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.files import safetensors
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import Callbacks, train
from mlx_metaembed.training.metrics import read as read_metrics


@pytest.fixture(scope="module")
def stopped(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, dict[str, np.ndarray]]:
    """A run that was stopped after its third step of four, and what it ends with when it goes on undamaged."""
    folder = tmp_path_factory.mktemp("stopped")
    pairs = folder / "pairs.jsonl"
    pairs.write_text("".join(f'{{"anchor": "sort {n}", "positive": "sort a list {n}"}}\n' for n in range(16)))
    settings = recipe(tiny, pairs, folder / "run", iters=4, save_every=1)
    with pytest.raises(JobError):
        train(settings, callbacks=[stop_after(3)])
    whole = folder / "whole"
    shutil.copytree(folder / "run", whole)
    train(recipe(tiny, pairs, whole, iters=4, save_every=1), resume=True)
    return settings, final(whole)


def header(change: Callable[[dict], None]) -> Callable[[bytes], bytes]:
    """A change of the header of a safetensors file."""

    def changed(data: bytes) -> bytes:
        length = struct.unpack("<Q", data[:8])[0]
        entries = json.loads(data[8 : 8 + length])
        change(entries)
        text = json.dumps(entries).encode()
        return struct.pack("<Q", len(text)) + text + data[8 + length :]

    return changed


def drop(entries: dict) -> None:
    del entries[min(entries)]


def rename(entries: dict) -> None:
    entries["other"] = entries.pop(min(entries))


def reshape(entries: dict) -> None:
    shapes = [each["shape"] for each in entries.values() if "shape" in each and len(set(each["shape"])) == 2]
    shapes[0].reverse()


def retype(entries: dict) -> None:
    next(each for each in entries.values() if each.get("dtype") == "F32")["dtype"] = "I32"


def flip(data: bytes) -> bytes:
    return data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]


STATE = "metaembed/state.safetensors"
DAMAGE = {
    "no metadata": (STATE, header(lambda entries: entries.pop("__metadata__"))),
    "a step that is no number": (STATE, header(lambda entries: entries["__metadata__"].update(step="x"))),
    "a loss scale that is no JSON": (STATE, header(lambda entries: entries["__metadata__"].update(loss_scale="{"))),
    "a tensor dropped": (STATE, header(drop)),
    "a tensor renamed": (STATE, header(rename)),
    "a tensor reshaped": (STATE, header(reshape)),
    "a tensor of another dtype": (STATE, header(retype)),
    "cut short": (STATE, lambda data: data[:100]),
    "empty": (STATE, lambda data: b""),
    "a byte of the state": (STATE, flip),
    "a byte of the weights": ("model.safetensors", flip),
    "a byte of a head": ("metaembed/heads.safetensors", flip),
    "another tokenizer": ("tokenizer.json", lambda data: data.replace(b'"socket"', b'"sucket"')),
    "other settings": ("metaembed/recipe.toml", lambda data: data.replace(b"0.001", b"0.002")),
    "a log that is no text": ("metaembed/metrics.jsonl", lambda data: b"\xff" + data),
    "no checksums": ("metaembed/checksums.json", lambda data: b"{}"),
    "checksums that are no JSON": ("metaembed/checksums.json", lambda data: data[:30]),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_checkpoint_is_named_and_the_one_before_offered(
    stopped: tuple[Recipe, dict], tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
):
    settings, _ = stopped
    out = tmp_path / "run"
    shutil.copytree(settings.out, out)
    name, change = DAMAGE[kind]
    file = out / "checkpoint-3" / name
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(CallError) as error:
        train(Recipe(**vars(settings) | {"out": str(out)}), resume=True)
    message = str(error.value)
    assert message.startswith(f"{out}/checkpoint-3 is damaged:\n  - ") and name in message
    assert f"{out}/checkpoint-2 is whole. To go on from there: rm -r {out}/checkpoint-3 && metaembed" in message


def test_what_the_message_offers_ends_as_the_whole_run(engine_name: str, stopped: tuple[Recipe, dict], tmp_path: Path):
    settings, expected = stopped
    out = tmp_path / "run"
    shutil.copytree(settings.out, out)
    again = Recipe(**vars(settings) | {"out": str(out), "engine": engine_name})
    (out / "checkpoint-3" / "model.safetensors").unlink()
    with pytest.raises(CallError, match=r"model\.safetensors: missing") as error:
        train(again, resume=True)
    removal = str(error.value).split("To go on from there: ")[1].split(" && ")[0]
    subprocess.run(shlex.split(removal), check=True)
    # The log and the tokens in the run's folder are made again from what is whole.
    (out / "metaembed" / "metrics.jsonl").write_bytes(b'\xff\n{"step": 1, "lo')
    ids = next(out.glob("tokens-*")) / "ids.npy"
    np.save(ids, np.load(ids) * 0 + 10**6)
    notes: list[str] = []
    train(again, resume=True, callbacks=[Callbacks(note=notes.append)])
    assert f"{ids.parent} is damaged (ids.npy: its content changed), and is made again" in notes
    assert [row["step"] for row in metrics(out)] == [1, 2, 3, 4]
    found = final(out)
    assert found.keys() == expected.keys()
    if engine_name == settings.engine:
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_without_a_whole_checkpoint_nothing_is_offered(stopped: tuple[Recipe, dict], tmp_path: Path):
    settings, _ = stopped
    out = tmp_path / "run"
    shutil.copytree(settings.out, out)
    for number in (2, 3):
        (out / f"checkpoint-{number}" / STATE).write_bytes(b"")
    with pytest.raises(CallError, match="no other whole checkpoint of this run"):
        train(Recipe(**vars(settings) | {"out": str(out)}), resume=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda text: text.replace("\nlearning_rate = 0.001", "\nlearning_rate = 0.002"),
            "learning_rate = 0.002 (0.001",
        ),
        (lambda text: text[:40] + "=", "is not TOML"),
        (lambda text: "sead = 1\n" + text, "did you mean 'seed'"),
        (lambda text: text.replace("batch_size = 8", 'batch_size = "8"'), "batch_size"),
    ],
)
def test_edited_settings_are_refused_and_their_copy_named(
    stopped: tuple[Recipe, dict], tmp_path: Path, change: Callable[[str], str], words: str
):
    settings, _ = stopped
    out = tmp_path / "run"
    shutil.copytree(settings.out, out)
    file = out / "metaembed" / "recipe.toml"
    file.write_text(change(file.read_text()))
    edited = vars(settings) | {"out": str(out)} | ({"learning_rate": 0.002} if "learning_rate" in words else {})
    with pytest.raises(CallError) as error:
        train(Recipe(**edited), resume=True)
    assert words in str(error.value)
    assert f"cp {out}/checkpoint-3/metaembed/recipe.toml {file}" in str(error.value)


def test_a_run_removes_its_own_checkpoints_alone(tiny: Path, pairs: Path, tmp_path: Path):
    out, other = tmp_path / "out", tmp_path / "other"
    settings = recipe(tiny, pairs, out, save_every=1, save_total_limit=3)
    for each in (settings, recipe(tiny, pairs, other, seed=1, save_every=1)):
        with pytest.raises(JobError):
            train(each, callbacks=[stop_after(4)])
    assert sorted(path.name for path in out.glob("check*")) == ["checkpoint-2", "checkpoint-3", "checkpoint-4"]
    mine = ["checkpoint-best", "checkpoint-12-copy", "checkpoint-7", "checkpoint-1", "checkpoint-04", "tokens-mine"]
    for name in mine:
        shutil.copytree(out / "checkpoint-4", out / name)
    # Another run's, of the name that this one is about to write, and newer than all of this one's.
    for name in ("checkpoint-5", "checkpoint-99"):
        shutil.copytree(other / "checkpoint-4", out / name)
    (out / "checkpoint-link").symlink_to(other / "checkpoint-4")
    mine += ["checkpoint-5", "checkpoint-99", "checkpoint-link"]
    notes: list[str] = []
    with pytest.raises(JobError):
        train(settings, resume=True, callbacks=[Callbacks(note=notes.append, stopped=lambda: True)])
    run = json.loads((out / "metaembed" / "run.json").read_text())["run"]
    assert (out / f"checkpoint-5-{run}").is_dir()
    assert any("checkpoint-best" in note and "not written by this run" in note for note in notes)
    train(settings, resume=True)
    left = {path.name for path in out.iterdir() if path.name.startswith(("checkpoint", "tokens", "pooled", "."))}
    assert left == set(mine)
    assert len(metrics(out)) == 10 and not (out / "metaembed" / "run.json").exists()


def test_the_run_alone_reads_the_checksums(stopped: tuple[Recipe, dict]):
    settings, expected = stopped
    said = json.loads((Path(settings.out) / "checkpoint-3" / "metaembed" / "checksums.json").read_text())
    assert said["step"] == 3 and "model.safetensors" in said["files"] and STATE in said["files"]
    whole = Path(settings.out).with_name("whole")
    assert sorted(path.name for path in (whole / "metaembed").iterdir()) == [
        "heads.json",
        "heads.safetensors",
        "metrics.jsonl",
        "recipe.toml",
        "result.json",
        "state.safetensors",
    ]
    assert safetensors.metadata(whole / STATE)["step"] == "4" and expected


def test_a_run_whose_id_is_lost_is_not_begun_anew(stopped: tuple[Recipe, dict], tmp_path: Path):
    settings, _ = stopped
    out = tmp_path / "run"
    shutil.copytree(settings.out, out)
    again = Recipe(**vars(settings) | {"out": str(out)})
    for change, message in (
        (lambda file: file.write_text("{"), r"run\.json, line 1"),
        (lambda file: file.write_text('{"run": 7}'), r"run\.json is damaged"),
        (lambda file: file.unlink(), r"run\.json is missing.*checkpoint-3 can be the --model"),
    ):
        change(out / "metaembed" / "run.json")
        with pytest.raises(CallError, match=message):
            train(again, resume=True)
    for checkpoint in out.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)
    train(again, resume=True)
    assert [row["step"] for row in metrics(out)] == [1, 2, 3, 4]


def test_a_log_is_read_up_to_the_first_that_is_no_row(tmp_path: Path):
    path, row = tmp_path / "metrics.jsonl", b'{"step": 1, "elapsed_s": 0.5}\n'
    path.write_bytes(row * 2 + b'{"step": 3, "el')
    assert read_metrics(path) == [{"step": 1, "elapsed_s": 0.5}] * 2
    os.truncate(path, 1 << 40)
    assert read_metrics(path) == [{"step": 1, "elapsed_s": 0.5}] * 2
