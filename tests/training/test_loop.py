"""Training: it learns, both engines end alike, and a run that was cut short ends as if it had not been."""

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from runs import final, metrics, recipe, stop_after

from mlx_metaembed import folder as folders
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.files import safetensors
from mlx_metaembed.training import Result, train


def test_it_learns_and_leaves_a_model_folder(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    out = tmp_path / "out"
    result = train(recipe(tiny, pairs, out, epochs=12, engine=engine_name))
    rows = metrics(out)
    assert isinstance(result, Result) and result.steps == len(rows) == 60
    assert [row["step"] for row in rows] == list(range(1, 61))
    assert np.mean([row["loss"] for row in rows[-5:]]) < 0.7 * np.mean([row["loss"] for row in rows[:5]])
    assert result.padding == rows[-1]["padding"] and 0 < result.peak_memory_bytes < 8e9
    assert sorted(path.name for path in out.iterdir()) == [
        "1_Pooling",
        "2_Normalize",
        "README.md",
        "config.json",
        "config_sentence_transformers.json",
        "metaembed",
        "model.safetensors",
        "modules.json",
        "report.html",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    embedder = load(out, engine=engine_name)
    assert embedder.encode(["open a socket"]).shape == (1, 32)
    digits = embedder.digits(["open a socket", "join two paths"], head="codes")
    assert digits.shape == (2, 8) and digits.min() >= 0 and digits.max() <= 3
    # The pooler, which training does not touch, is kept for other tools.
    np.testing.assert_array_equal(
        safetensors.read(out / "model.safetensors")["pooler.dense.weight"],
        safetensors.read(tiny / "model.safetensors")["pooler.dense.weight"],
    )


def test_both_engines_end_alike(two_engines: tuple[str, str], tiny: Path, pairs: Path, tmp_path: Path):
    ends = []
    for name in two_engines:
        train(recipe(tiny, pairs, tmp_path / name, engine=name, fsq="", learning_rate=1e-4))
        ends.append(final(tmp_path / name))
    losses = [[row["loss"] for row in metrics(tmp_path / name)] for name in two_engines]
    np.testing.assert_allclose(*losses, rtol=1e-4)
    texts = ["open a socket", "sort a list of numbers"]
    vectors = [load(tmp_path / name, engine=name).encode(texts) for name in two_engines]
    np.testing.assert_allclose(*vectors, atol=1e-3)


@pytest.mark.parametrize("at", [2, 4, 5])
def test_a_stopped_run_resumes_to_the_same_weights(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path, at: int):
    whole = recipe(tiny, pairs, tmp_path / "whole", engine=engine_name, dropout=0.1)
    train(whole)
    parts = replace(whole, out=str(tmp_path / "parts"))
    with pytest.raises(JobError, match=rf"Stopped after step {at} of 10.*--resume --out"):
        train(parts, callbacks=[stop_after(at)])
    with pytest.raises(CallError, match="holds an unfinished run"):
        train(parts)
    train(parts, resume=True)
    expected, got = final(tmp_path / "whole"), final(tmp_path / "parts")
    assert set(expected) == set(got)
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)
    assert [row["step"] for row in metrics(tmp_path / "parts")] == list(range(1, 11))
    with pytest.raises(CallError, match="finished run"):
        train(parts, resume=True)


def test_a_run_moves_to_the_other_engine(two_engines: tuple[str, str], tiny: Path, pairs: Path, tmp_path: Path):
    first, second = two_engines
    whole = recipe(tiny, pairs, tmp_path / "whole", engine=first, fsq="", learning_rate=1e-4)
    train(whole)
    with pytest.raises(JobError):
        train(replace(whole, out=str(tmp_path / "parts")), callbacks=[stop_after(5)])
    train(replace(whole, out=str(tmp_path / "parts"), engine=second), resume=True)
    vectors = [load(tmp_path / name, engine=first).encode(["open a socket"]) for name in ("whole", "parts")]
    np.testing.assert_allclose(*vectors, atol=1e-3)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_process_resumes_to_the_same_weights(tiny: Path, pairs: Path, tmp_path: Path, number: signal.Signals):
    settings = recipe(tiny, pairs, tmp_path / "whole", epochs=12, save_every=3)
    train(settings)
    out = tmp_path / "killed"
    words = (
        "--batch-size 8 --epochs 12 --learning-rate 1e-3 --matryoshka 32,8 --fsq 4x8 --chunk-tokens 64 --save-every 3"
    )
    command = [sys.executable, "-m", "mlx_metaembed", "train"]
    arguments = ["--model", str(tiny), "--data", str(pairs), "--out", str(out), "--engine", "mlx", *words.split()]
    process = subprocess.Popen([*command, *arguments], stderr=subprocess.PIPE, text=True)
    log = out / "metaembed" / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while not (log.is_file() and log.read_text().count("\n") >= 10):
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.005)
    process.send_signal(number)
    stderr = process.communicate(timeout=60)[1]
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 128 + number and "--resume --out" in stderr
    assert not (out / "modules.json").exists()
    done = subprocess.run([*command, "--resume", "--out", str(out)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    expected, got = final(tmp_path / "whole"), final(out)
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)


def test_half_written_checkpoints_are_never_picked_up(tiny: Path, pairs: Path, tmp_path: Path):
    out = tmp_path / "out"
    with pytest.raises(JobError):
        train(recipe(tiny, pairs, out), callbacks=[stop_after(5)])
    assert sorted(path.name for path in out.glob("checkpoint-*")) == ["checkpoint-4", "checkpoint-5"]
    half = out / ".checkpoint-9.partial-1"
    shutil.copytree(out / "checkpoint-5", half)
    (half / "model.safetensors").write_bytes(b"half")
    train(recipe(tiny, pairs, out), resume=True)
    assert len(metrics(out)) == 10


def test_a_full_disk_keeps_the_old_checkpoint(tiny: Path, pairs: Path, tmp_path: Path):
    """The limit on a file's size stands in for a full disk: the system's own error, at the same call."""
    out = tmp_path / "a run"
    with pytest.raises(JobError):
        train(recipe(tiny, pairs, out), callbacks=[stop_after(5)])
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000));"
        "from mlx_metaembed.cli import main; main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "train", "--resume", "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    assert "Could not write" in done.stderr and "untouched" in done.stderr
    assert f"The last good checkpoint is {out}/checkpoint-5." in done.stderr
    assert f"When that is mended: metaembed train --resume --out '{out}'" in done.stderr
    assert sorted(path.name for path in out.glob("*checkpoint-*")) == ["checkpoint-4", "checkpoint-5"]
    train(recipe(tiny, pairs, out), resume=True)


def test_nan_stops_the_run_and_keeps_the_last_checkpoint(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    broken = tmp_path / "broken"
    shutil.copytree(tiny, broken)
    arrays = safetensors.read(broken / "model.safetensors")
    arrays["encoder.layer.1.output.dense.bias"] = np.full(32, np.nan, np.float32)
    safetensors.write(broken / "model.safetensors", arrays)
    with pytest.raises(JobError, match=r"Step 1: the loss is nan. Likely causes: a learning rate .* No checkpoint"):
        train(recipe(broken, pairs, tmp_path / "out", engine=engine_name))
    out = tmp_path / "diverges"
    with pytest.raises(JobError, match=r"(?s)Step \d+: .*last good checkpoint is .*checkpoint-"):
        train(
            recipe(
                tiny, pairs, out, engine=engine_name, learning_rate=1e18, lr_schedule="constant", save_every=1, epochs=9
            )
        )
    assert list(out.glob("checkpoint-*"))


def test_accumulation_averages_batches(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    # Without a code head, whose noise is a step's.
    own = {"engine": engine_name, "fsq": ""}
    settings = recipe(tiny, pairs, tmp_path / "a", grad_accumulation_steps=5, epochs=1, **own)
    assert train(settings).steps == 1
    row = metrics(tmp_path / "a")[0]
    assert row["epoch"] == 1.0
    alone = recipe(tiny, pairs, tmp_path / "b", iters=5, learning_rate=1e-30, **own)
    train(alone)
    assert row["loss"] == pytest.approx(np.mean([row["loss"] for row in metrics(tmp_path / "b")]), rel=1e-5)


def test_hard_negatives_and_the_triplet_loss(engine_name: str, tiny: Path, tmp_path: Path):
    data = tmp_path / "triplets.jsonl"
    rows = [
        {"anchor": f"sort {n}", "positive": f"sort a list {n}", "negative_1": f"open {n}", "negative_2": f"join {n}"}
        for n in range(16)
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for loss, settings in (("triplet", {"margin": 0.5}), ("info_nce", {"symmetric": True})):
        out = tmp_path / loss
        train(recipe(tiny, data, out, engine=engine_name, loss=loss, epochs=10, fsq="", **settings))
        losses = [row["loss"] for row in metrics(out)]
        assert losses[-1] < losses[0]


def test_float16_scales_its_loss_and_says_so_in_the_state(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    train(recipe(tiny, pairs, tmp_path / "out", engine=engine_name, dtype="float16"))
    said = safetensors.metadata(tmp_path / "out" / "metaembed" / "state.safetensors")
    assert json.loads(said["loss_scale"])["factor"] > 1
    assert folders.read(tmp_path / "out").config["dtype"] == "float32"


def test_gradcache_holds_less_and_changes_nothing(mlx_engine: str, tiny: Path, pairs: Path, tmp_path: Path):
    common = {"batch_size": 40, "iters": 1, "chunk_tokens": 64, "fsq": "", "engine": mlx_engine}
    plain = train(recipe(tiny, pairs, tmp_path / "plain", grad_cache="off", **common))
    cached = train(recipe(tiny, pairs, tmp_path / "cached", grad_cache="on", **common))
    assert cached.loss == pytest.approx(plain.loss, rel=1e-6)
    assert cached.peak_memory_bytes < 0.7 * plain.peak_memory_bytes


def test_the_arithmetic_of_a_run_is_kept(tiny: Path, pairs: Path, tmp_path: Path):
    settings = recipe(tiny, pairs, tmp_path / "out")
    assert settings.dtype == "auto"
    with pytest.raises(JobError):
        train(settings, callbacks=[stop_after(4)])
    assert 'dtype = "float32"' in (tmp_path / "out" / "metaembed" / "recipe.toml").read_text()
    with pytest.raises(CallError, match="dtype would change it"):
        train(replace(settings, dtype="bfloat16"), resume=True)
    train(settings, resume=True)


@pytest.mark.parametrize("settings", [{"dtype": "float16"}, {"dtype": "bfloat16"}, {"grad_accumulation_steps": 2}])
def test_other_settings_resume_to_the_same_weights_too(tiny: Path, pairs: Path, tmp_path: Path, settings: dict):
    whole = recipe(tiny, pairs, tmp_path / "whole", seed=2**40, **settings)
    train(whole)
    parts = replace(whole, out=str(tmp_path / "parts"))
    with pytest.raises(JobError):
        train(parts, callbacks=[stop_after(3)])
    train(parts, resume=True)
    expected, got = final(tmp_path / "whole"), final(tmp_path / "parts")
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)


def test_leftovers_of_a_killed_save_go(tiny: Path, pairs: Path, tmp_path: Path):
    settings = recipe(tiny, pairs, tmp_path / "out")
    with pytest.raises(JobError):
        train(settings, callbacks=[stop_after(4)])
    (tmp_path / "out" / ".checkpoint-9.partial-77").mkdir()
    train(settings, resume=True)
    assert not [path.name for path in (tmp_path / "out").iterdir() if "partial" in path.name or "tokens" in path.name]


def test_changed_data_is_not_resumed(tiny: Path, pairs: Path, tmp_path: Path):
    settings = recipe(tiny, pairs, tmp_path / "out")
    with pytest.raises(JobError):
        train(settings, callbacks=[stop_after(4)])
    pairs.write_text(pairs.read_text().replace("socket", "file"))
    before = sorted(path.name for path in (tmp_path / "out").iterdir())
    with pytest.raises(CallError, match="has changed since"):
        train(settings, resume=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == before


def test_wrong_runs_write_nothing(tiny: Path, pairs: Path, tmp_path: Path):
    labelled = tmp_path / "labelled.jsonl"
    labelled.write_text('{"text": "a", "label": "b"}\n{"text": "c", "label": "d"}\n')
    one = tmp_path / "one.jsonl"
    one.write_text('{"anchor": "a", "positive": "b"}\n')
    occupied = tmp_path / "occupied"
    occupied.mkdir()
    (occupied / "mine.txt").write_text("mine")
    out = tmp_path / "out"
    for settings, message in (
        ({"model": "", "data": "x"}, "has no model"),
        ({"data": str(tmp_path / "none.jsonl")}, r"none\.jsonl"),
        ({"data": str(labelled)}, "training needs pairs"),
        ({"data": str(one)}, "one row"),
        ({"loss": "triplet"}, "row 1 has no negative"),
        ({"matryoshka": (64,)}, "have 32 features"),
        ({"max_seq_length": 400}, "48 positions"),
        ({"out": str(occupied)}, "already holds something"),
    ):
        with pytest.raises(CallError, match=message):
            train(replace(recipe(tiny, pairs, out), **settings))
        assert not out.exists(), settings
    assert [path.name for path in occupied.iterdir()] == ["mine.txt"]
