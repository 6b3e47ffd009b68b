"""The assistant in small: a chat of a few days, a tiny model, every stage, the page and what it says."""

import importlib.util
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pages import Page
from tiny import TEXTS, tiny_folder

from mlx_metaembed.errors import CallError

HERE = Path(__file__).parents[2] / "examples" / "assistant"
WORDS = " ".join(TEXTS).split()


def chat(folder: Path, days: int = 6) -> Path:
    """Logs as irc_disentangle has them: a message a line, and links of replies; two threads at a time."""
    folder.mkdir()
    random = np.random.default_rng(2)
    for day in range(days):
        lines, links, last = [], [], {}
        began = datetime(2020, 1, 1 + day, 10, 0)
        for number in range(40):
            thread = number // 8 * 2 + int(random.integers(2))
            words = " ".join(random.choice(WORDS[thread % 5 :: 5], 3))
            clock = (began + timedelta(minutes=2 * number)).strftime("%H:%M")
            lines.append(f"[{clock}] <nick{thread}> {words} {number}")
            links.append(f"{last.get(thread, number)} {number} -")
            last[thread] = number
        lines.append("=== nick0 has joined #channel")
        name = f"2020-01-{1 + day:02d}.train"
        (folder / f"{name}.ascii.txt").write_text("\n".join(lines) + "\n")
        (folder / f"{name}.annotation.txt").write_text("\n".join(links) + "\n")
    return folder


def banking(folder: Path) -> Path:
    """Texts with an intent, in two files of BANKING77's form."""
    folder.mkdir()
    for name, count in (("train", 6), ("test", 3)):
        rows = [f"{' '.join(WORDS[at::7][:3])} {row},intent {at}" for at in range(4) for row in range(count)]
        (folder / f"{name}.csv").write_text("\n".join(["text,category", *rows]) + "\n")
    return folder


def run(tmp_path: Path, engine: str, *more: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(HERE / "run.py"), "--data", str(tmp_path / "chat"), "--out", str(tmp_path / "out")]
    command += ["--model", str(tmp_path / "tiny"), "--steps", "2", "--engine", engine, *more]
    environment = os.environ | {"MLX_DISABLE_COMPILE": "1", "METAEMBED_CACHE": str(tmp_path / "cache")}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_the_assistant_ends_with_results_and_a_page(engine_name: str, tmp_path: Path):
    tiny_folder(tmp_path / "tiny", config={"max_position_embeddings": 72}, max_seq_length=64)
    chat(tmp_path / "chat"), banking(tmp_path / "banking")
    done = run(tmp_path, engine_name, "--banking", str(tmp_path / "banking"))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    rows = {row["name"]: row for row in found["rows"]}
    assert list(rows) == ["bare", "base", "match", "flow", "tasks"]
    for name in ("base", "match", "flow", "tasks"):
        row = rows[name]
        assert row["gap"] == pytest.approx(row["same"] - row["different"]) and row["over_floor"] > 0
        assert row["correlation_low"] <= row["correlation"] <= row["correlation_high"]
        assert 0 <= row["macro_f1"] <= 1 and row["classification_s"] > 0
        # Each model's artifacts lie in a folder of its own.
        kept = {each.name.partition("-")[0].partition(".")[0] for each in Path(row["folder"]).iterdir()}
        assert kept == {"model", "vectors", "index", "banking77"}
    assert len({row["folder"] for row in rows.values() if "folder" in row}) == 4
    assert len(found["refused"]) == 2 and all(
        "match gives other vectors than those" in each for each in found["refused"]
    )
    assert found["quality"][0]["name"] == "the head" and len(found["goals"]) == 8
    assert found["facts"]["training days"] == 4 and found["facts"]["judged days"] == 1
    page = Page((tmp_path / "out" / "report.html").read_text())
    headings = ["Goals", "Matching and flow", "Will it be answered?", "Intents", "One message"]
    assert page.text("h2") == [*headings, "Whose vectors?", "Training", "The run"]
    identities = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identities) == len(set(identities))
    # Again: nothing is trained or embedded anew, and another length of training is another model.
    before = {name: row["folder"] for name, row in rows.items() if "folder" in row}
    assert run(tmp_path, engine_name, "--part", "validation").returncode == 0
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert {row["name"]: row["folder"] for row in found["rows"] if "folder" in row} == before
    assert not any("macro_f1" in row for row in found["rows"])


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch):
    """Imports one of the example's files."""
    monkeypatch.syspath_prepend(str(HERE))

    def load(name: str):
        spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
        monkeypatch.setitem(sys.modules, name, module := importlib.util.module_from_spec(spec))
        spec.loader.exec_module(module)
        return module

    return load


def test_no_day_is_in_two_parts_and_a_day_stays_where_it_is(stage):
    parts = stage("chat").parts
    days = {f"2020-01-{day:02d}" for day in range(1, 31)}
    found = parts(days)
    assert [list(found.values()).count(name) for name in ("held-out", "validation", "training")] == [6, 6, 18]
    # A few days more: what they were drawn by is their own, so hardly any changes its part.
    later = parts(days | {"2020-02-01"})
    assert sum(later[day] != found[day] for day in days) <= 2


def test_a_message_is_answered_soon_or_not_or_nobody_can_tell(stage, tmp_path: Path):
    chats = stage("chat")
    log = tmp_path / "chat"
    log.mkdir()
    # Answered at once, after 11 minutes, never; before the first answer, and too near the end, nobody can tell.
    lines = ["[10:00] <a> one", "[10:05] <b> two", "[10:10] <a> three", "[10:30] <b> four", "[10:41] <c> five"]
    lines += ["[11:30] <a> six", "[11:31] <b> seven"]
    (log / "2020-01-01.x.ascii.txt").write_text("\n".join(lines) + "\n")
    (log / "2020-01-01.x.annotation.txt").write_text("0 1 -\n1 2 -\n2 3 -\n3 4 -\n5 6 -\n")
    for day in (2, 3, 4):
        (log / f"2020-01-0{day}.x.ascii.txt").write_text("[10:00] <a> one\n[10:01] <b> two\n")
        (log / f"2020-01-0{day}.x.annotation.txt").write_text("0 1 -\n")
    parts = chats.read(log, tmp_path)
    part = next(each for each in parts.values() if "2020-01-01" in each.days)
    own = part.answered[part.days == "2020-01-01"]
    np.testing.assert_array_equal(own, [np.nan, 1, 0, 0, 0, np.nan, np.nan])
    assert part.texts[0] == "a: one" and part.bare[0] == "one"


def test_a_short_chat_and_another_one_are_refused(stage, tmp_path: Path):
    chats = stage("chat")
    short, long, out = chat(tmp_path / "short", days=2), chat(tmp_path / "long", days=3), tmp_path / "out"
    out.mkdir()
    with pytest.raises(CallError, match=r"short has threads of 2 days .* expected 3 or more"):
        chats.read(short, out)
    with pytest.raises(CallError, match=r"out holds what was made of .*short; expected another --out for .*long"):
        chats.read(long, out)


def test_intents_are_two_files_with_their_columns(stage, tmp_path: Path):
    read = stage("intents").read
    with pytest.raises(CallError, match=r"There is no file .*train\.csv; expected BANKING77's train\.csv and test"):
        read(tmp_path)
    (tmp_path / "train.csv").write_text("text,label\na,b\n")
    with pytest.raises(CallError, match=r"train\.csv has the columns text, label; expected text, category"):
        read(tmp_path)


def test_a_wrong_call_is_one_message_and_exit_status_2(tmp_path: Path):
    (tmp_path / "chat").mkdir()
    done = run(tmp_path, "auto")
    assert (done.returncode, done.stderr.splitlines()[-1][:7]) == (2, "Error: "), done.stderr
    assert "is a folder without reply links" in done.stderr and "Traceback" not in done.stderr


def test_a_collapse_is_no_success(stage):
    chats, judge = stage("chat"), stage("judge")
    threads = np.array(["x", "x", "y", "y"])
    part = chats.Part(list("abcd"), list("abcd"), threads, np.array(["d"] * 4), np.array([[0, 1]]), np.ones(4))
    pairs = chats.pairs(part)
    assert pairs.same.tolist() == [[0, 1], [2, 3]] and len(pairs.different) == 4
    apart = judge.conversation(judge.cosines(np.array([[1, 0], [1, 0], [0, 1], [0, 1]]), part, pairs)).figures(None)
    assert apart == pytest.approx({"correlation": 1, "same": 1, "different": 0, "gap": 1, "auc": 1})
    crowded = judge.conversation(judge.cosines(np.ones((4, 2)), part, pairs)).figures(None)
    assert crowded == pytest.approx({"correlation": 0, "same": 1, "different": 1, "gap": 0, "auc": 0.5})


def test_the_area_is_that_of_all_pairs(stage):
    judge = stage("judge")
    area = judge.Area(np.array([3.0, 1.0]), np.array([2.0, 1.0, 0.0]))
    # 3 is above three; 1 is above one and equals one: (3 + 1.5) / 6.
    assert area(np.ones(2), np.ones(3)) == pytest.approx(0.75)
    assert area(np.array([1.0, 0.0]), np.array([0.0, 2.0, 1.0])) == 1
