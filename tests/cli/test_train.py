"""`metaembed train` as a user meets it: what is refused, what a NaN leaves, and whole passes compiled."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from calls import refused, run

from mlx_metaembed.files import safetensors

COMMAND = [sys.executable, "-m", "mlx_metaembed", "train"]


def test_a_missing_file_and_an_occupied_folder_are_refused(tiny: Path, pairs: Path, tmp_path: Path):
    out = tmp_path / "out"
    assert "missing.jsonl" in refused("train", "--model", tiny, "--data", tmp_path / "missing.jsonl", "--out", out)
    assert not out.exists()
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    message = refused("train", "--model", tiny, "--data", pairs, "--out", out)
    assert "already holds something (thesis.txt)" in message
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]


def test_a_nan_ends_with_the_step_and_the_causes(tiny: Path, pairs: Path, tmp_path: Path):
    broken = tmp_path / "broken"
    shutil.copytree(tiny, broken)
    arrays = safetensors.read(broken / "model.safetensors")
    arrays["encoder.layer.1.output.dense.bias"] = np.full(32, np.nan, np.float32)
    safetensors.write(broken / "model.safetensors", arrays)
    out = tmp_path / "out"
    done = run("train", "--model", broken, "--data", pairs, "--out", out, "--batch-size", "8", status=1)
    assert "Step 1: the loss is nan. Likely causes: a learning rate" in done.stderr
    assert not (out / "modules.json").exists()


def test_an_adapter_goes_the_whole_way(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    out = tmp_path / "adapter"
    words = ["--train", "lora", "--lora-rank", "2", "--num-layers", "1", "--target-modules", "query,value"]
    common = ["--batch-size", "8", "--engine", engine_name]
    run("train", "--model", tiny, "--data", pairs, "--out", out, *words, *common)
    names = {name.split(".lora_")[0] for name in safetensors.read(out / "adapter_model.safetensors")}
    assert names == {f"base_model.model.encoder.layer.1.attention.self.{part}" for part in ("query", "value")}
    run("export", out, tmp_path / "st", "--to", "sentence-transformers")
    assert (tmp_path / "st" / "model.safetensors").is_file()
    for path in (out, tmp_path / "st", tiny):
        run("embed", path, "open a socket", "--engine", engine_name, "--output", tmp_path / f"{path.name}.npy")
    beside, fused, base = (np.load(tmp_path / f"{path.name}.npy") for path in (out, tmp_path / "st", tiny))
    np.testing.assert_allclose(beside, fused, atol=2e-6)
    assert np.abs(beside - base).max() > 1e-6
    message = refused("train", "--model", tiny, "--data", pairs, "--out", tmp_path / "no", "--lora-rank", "0")
    assert "lora_rank = 0: expected 1 or more" in message


def test_compiled_passes_resume_to_the_same_weights(mlx_engine: str, tiny: Path, pairs: Path, tmp_path: Path):
    environment = {name: value for name, value in os.environ.items() if name != "MLX_DISABLE_COMPILE"}
    words = ["--model", str(tiny), "--data", str(pairs), "--engine", mlx_engine]
    words += [
        "--batch-size",
        "8",
        "--epochs",
        "3",
        "--learning-rate",
        "1e-3",
        "--chunk-tokens",
        "64",
        "--save-every",
        "3",
    ]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run([*COMMAND, *words, "--out", str(whole)], env=environment, check=True, capture_output=True)
    process = subprocess.Popen([*COMMAND, *words, "--out", str(killed)], env=environment, stderr=subprocess.DEVNULL)
    log = killed / "metaembed" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (log.is_file() and log.read_text().count("\n") >= 5):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "modules.json").exists()
    resumed = [*COMMAND, "--resume", "--out", str(killed)]
    subprocess.run(resumed, env=environment, check=True, capture_output=True)
    expected, got = (safetensors.read(path / "model.safetensors") for path in (whole, killed))
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)
