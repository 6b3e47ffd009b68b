"""Ctrl-C, SIGTERM and a hang-up in every verb: one line, the shell's exit status, and nothing half-written."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, sys
name, number = sys.argv[1], int(sys.argv[2])
def strike(event, arguments, seen=[]):
    if event == "open" and not seen and name in str(arguments[0]) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        seen.append(1)
        if number == signal.SIGKILL:
            with open(arguments[0], "w") as file:
                file.write("half")
        os.kill(os.getpid(), number)
sys.addaudithook(strike)
from mlx_metaembed.cli import main
main(sys.argv[3:])
"""
"""Calls the command line, and sends a signal when a file of a name is opened to be written."""


def struck(name: str, number: int, *words: object) -> subprocess.CompletedProcess:
    # What started the tests may ignore SIGHUP, as nohup does, and its children with it.
    heeds = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL){PROGRAM}"
    command = [sys.executable, "-c", heeds, name, str(int(number)), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr
    return done


def verbs(engine: str, tiny: Path, pairs: Path, out: Path) -> dict[str, tuple]:
    """The words of each verb that writes, and the name of a file in what it writes."""
    by = ("--engine", engine)
    return {
        "convert": ("model.safetensors", "convert", tiny, out, *by),
        "export": ("README.md", "export", tiny, out, "--to", "sentence-transformers"),
        "index": ("corpus.jsonl", "index", tiny, pairs, out, *by),
        "embed": (".v.npy.partial", "embed", tiny, "open a socket", "--output", out.with_name("v.npy"), *by),
        "train": ("ids.npy", "train", "--model", tiny, "--data", pairs, "--out", out, *by),
    }


@pytest.mark.parametrize("verb", ["convert", "export", "index", "embed"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing(
    one_engine: str, tiny: Path, pairs: Path, tmp_path: Path, verb: str, number: signal.Signals
):
    folder = tmp_path / "folder"
    folder.mkdir()
    done = struck(
        verbs(one_engine, tiny, pairs, folder / "out")[verb][0],
        number,
        *verbs(one_engine, tiny, pairs, folder / "out")[verb][1:],
    )
    assert done.returncode == 128 + number
    last = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    assert done.stderr.splitlines()[-1] == f"metaembed: {last}"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("verb", ["convert", "embed"])
def test_what_a_kill_leaves_goes_at_the_next_call(one_engine: str, tiny: Path, pairs: Path, tmp_path: Path, verb: str):
    folder = tmp_path / "folder"
    folder.mkdir()
    name, *words = verbs(one_engine, tiny, pairs, folder / "out")[verb]
    assert struck(name, signal.SIGKILL, *words).returncode == -signal.SIGKILL
    assert [path.name.startswith(".") for path in folder.iterdir()] == [True]
    assert struck("nothing", 0, *words).returncode == 0
    left = {"convert": {"out"}, "embed": {"v.npy", "v.npy.json"}}
    assert {path.name for path in folder.iterdir()} == left[verb]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_has_made_no_step_ends_at_once(
    one_engine: str, tiny: Path, pairs: Path, tmp_path: Path, number: signal.Signals
):
    out = tmp_path / "out"
    name, *words = verbs(one_engine, tiny, pairs, out)["train"]
    done = struck(name, number, *words)
    assert done.returncode == 128 + number
    assert f"The run in {out} was begun. Go on with: metaembed train --resume --out {out}" in done.stderr
    assert sorted(path.name for path in (out / "metaembed").iterdir()) == ["recipe.toml", "run.json"]
    assert sorted(path.name for path in out.iterdir()) == ["metaembed"]
    assert struck("nothing", 0, "train", "--resume", "--out", out).returncode == 0


def test_what_nohup_ignores_stays_ignored(one_engine: str, tiny: Path, tmp_path: Path):
    program = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN){PROGRAM}"
    words = ["model.safetensors", str(int(signal.SIGHUP)), "convert", str(tiny), str(tmp_path / "out")]
    words += ["--engine", one_engine]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_full_stdout_is_one_line(one_engine: str, tiny: Path):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "mlx_metaembed", "embed", str(tiny), "open a socket", "--engine", one_engine]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "metaembed: Could not write the answer to stdout: No space left on device"
