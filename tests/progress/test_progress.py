"""Progress: lines off a terminal, one bar on one and in a notebook, nothing of it on stdout."""

import json
import os
import pty
import sys
import types
from pathlib import Path

import pytest
from calls import COMMAND

from mlx_metaembed.cli import main
from mlx_metaembed.progress import display
from mlx_metaembed.progress.display import Progress, Stages, step_words

ROW = {"step": 7, "steps": 40, "loss": 1.25, "loss@32": 0.5, "loss@codes": 0.75, "tokens_per_second": 1234.4}


def test_a_line_says_step_loss_speed_and_time_left():
    job = Progress(40, "training", unit="steps", initial=6)
    began = job._began
    job.say(step_words(ROW))
    assert job.line(began + 12) == (
        "training: 6 of 40 steps (15 %), loss 1.2500 (32: 0.5000, codes: 0.7500), 1,234 tokens/s, 12 s so far"
    )
    job.update()
    job._first_at = began + 12
    job.update(2)
    # Two steps in ten seconds after the first, which compiles: thirty-one more take 155 seconds.
    assert job.line(began + 22).endswith("9 of 40 steps (22 %), " + step_words(ROW) + ", 2 min 35 s left")
    job.update(31)
    job._done_at = began + 200
    last = job.line(began + 201)
    assert last.startswith("training: 40 of 40 steps (100 %)") and last.endswith("took 3 min 20 s")
    # What comes behind the last step takes time too, and is not the steps'.
    assert job.line(began + 500) == last


def test_a_finished_job_says_so_once(capsys: pytest.CaptureFixture):
    job = Progress(2, "tokenising")
    job._written = "tokenising: 1 of 2 texts (50 %)"
    job.update(2)
    job._done_at = job._began + 23
    job._write()
    job._write()
    job.__enter__().__exit__(None, None, None)
    assert capsys.readouterr().err == "tokenising: 2 of 2 texts (100 %), took 23 s\n"


def test_what_was_measured_last_stands_beside_the_steps(monkeypatch: pytest.MonkeyPatch):
    said: list[str] = []
    monkeypatch.setattr(Progress, "say", lambda self, words: said.append(words))
    stages = Stages()
    stages.evaluated({"step": 0, "eval/ndcg@10": 0.25, "eval/mrr@10": 0.75})
    stages.step(ROW | {"step": 1})
    stages.evaluated({"step": 2, "eval/ndcg@10": 0.5, "eval/mrr@10": 0.75})
    stages.step(ROW | {"step": 2})
    stages.step(ROW | {"step": 3})
    stages.close()
    assert [words.split("), ")[1] for words in said] == [
        f"ndcg@10 {value}, 1,234 tokens/s" for value in ("0.2500", "0.5000", "0.5000")
    ]


def test_the_last_loss_on_each_data_set_stays(monkeypatch: pytest.MonkeyPatch):
    said: list[str] = []
    monkeypatch.setattr(Progress, "say", lambda self, words: said.append(words))
    stages = Stages()
    stages.step(ROW | {"step": 1, "set/pairs/loss": 2.5, "set/pairs/tokens": 9})
    stages.step(ROW | {"step": 2, "set/rated/loss": 0.25})
    stages.step(ROW | {"step": 3, "set/pairs/loss": 1.5})
    stages.close()
    assert [words.partition(", 1,234")[0] for words in said] == [
        *("loss pairs 2.5000", "loss pairs 2.5000, rated 0.2500", "loss pairs 1.5000, rated 0.2500")
    ]
    many = {f"set/s{at}/loss": float(at) for at in range(5)}
    assert step_words(ROW | many).startswith("loss 2.0000 (mean of 5 data sets), ")


def test_a_job_of_unknown_length_and_an_empty_one():
    job = Progress(None, "converting")
    assert job.line(job._began + 75) == "converting: 1 min 15 s so far"
    job = Progress(0, "encoding")
    assert job.line(job._began + 1) == "encoding: 0 of 0 texts (100 %), took 1 s"


def test_off_a_terminal_it_is_lines_on_stderr(tiny: Path, pairs: Path, tmp_path: Path, capsys, monkeypatch):
    monkeypatch.setattr(display, "EVERY", 0.01)
    words = ["--model", tiny, "--data", pairs, "--out", tmp_path / "out", "--batch-size", "8", "--epochs", "10"]
    main([str(word) for word in ["train", *words, "--matryoshka", "32,8", "--engine", "mlx", "--json"]])
    shown = capsys.readouterr()
    assert json.loads(shown.out)["steps"] == 50
    lines = [line for line in shown.err.splitlines() if line.startswith("training: ")]
    assert len(lines) > 1 and "\r" not in shown.err
    assert lines[-1].startswith("training: 50 of 50 steps (100 %), loss ") and "(32: " in lines[-1]


def test_without_callbacks_a_run_shows_itself(tiny: Path, pairs: Path, tmp_path: Path, capsys, monkeypatch):
    from mlx_metaembed.recipe import Recipe
    from mlx_metaembed.training import Callbacks, train

    monkeypatch.setattr(display, "EVERY", 0.001)
    recipe = {"model": str(tiny), "data": str(pairs), "batch_size": 8, "epochs": 1, "engine": "mlx"}
    train(Recipe(**recipe, out=str(tmp_path / "one")))
    assert "training: 5 of 5 steps" in capsys.readouterr().err
    train(Recipe(**recipe, out=str(tmp_path / "two")), callbacks=[Callbacks()])
    assert capsys.readouterr().err == ""


def on_a_terminal(*words: object) -> str:
    """What a command writes where stdout and stderr are a terminal."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(COMMAND[0], [*COMMAND, *map(str, words)])
    shown = b""
    while True:
        try:
            some = os.read(terminal, 4096)
        except OSError:
            break
        if not some:
            break
        shown += some
    os.close(terminal)
    assert os.waitpid(child, 0)[1] == 0, shown
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_on_a_terminal_it_is_one_bar(tiny: Path, pairs: Path, tmp_path: Path):
    shown = on_a_terminal(
        *(
            "train",
            "--model",
            tiny,
            "--data",
            pairs,
            "--out",
            tmp_path / "out",
            "--batch-size",
            "8",
            "--iters",
            "5",
            "--engine",
            "mlx",
        )
    )
    bars = [line for line in shown.split("\n") if "training:" in line]
    assert len(bars) == 1 and bars[0].count("\r") >= 1 and "5/5 steps" in bars[0]


def test_in_a_notebook_it_is_one_bar(capsys, monkeypatch):
    """A module that says what a kernel's IPython says stands in for the kernel; the bar is tqdm's own."""
    kernel = types.SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: kernel))
    assert display.in_notebook()
    monkeypatch.setattr(display, "REFRESHED", 0.001)
    stages = Stages()
    for _ in range(3):
        stages.prepared("tokenising", 10, 30)
    for step in range(7, 41):
        stages.step(ROW | {"step": step})
    stages.close()
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1 and "40/40 steps" in shown.err


def test_elsewhere_is_no_notebook(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    assert not display.in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", None)
    assert not display.in_notebook()
