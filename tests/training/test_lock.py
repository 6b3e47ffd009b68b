"""One run a folder: the second is told who runs there, and a dead process holds nothing."""

import errno
import fcntl
import json
import os
import signal
from pathlib import Path

import pytest
from runs import recipe, stop_after

from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.files import partials
from mlx_metaembed.training import train
from mlx_metaembed.training.lock import Lock


def test_a_second_run_is_told_who_runs(tiny: Path, pairs: Path, tmp_path: Path):
    out = tmp_path / "out"
    settings = recipe(tiny, pairs, out)
    with pytest.raises(JobError):
        train(settings, callbacks=[stop_after(4)])
    names = sorted(out.rglob("*"))
    with Lock(out / "metaembed") as lock:
        lock.acquire()
        for resume in (True, False):
            with pytest.raises(CallError) as error:
                train(settings, resume=resume)
            assert (
                f"{out} is in use: process {os.getpid()} on {partials.host()} has a run going on in it since 2"
                in str(error.value)
            )
    assert sorted(out.rglob("*")) == names
    train(settings, resume=True)


def test_a_folder_that_another_is_claiming_is_taken(tiny: Path, pairs: Path, tmp_path: Path):
    out = tmp_path / "out"
    (out / "metaembed").mkdir(parents=True)
    with Lock(out / "metaembed") as lock:
        lock.acquire()
        with pytest.raises(CallError, match="is in use"):
            train(recipe(tiny, pairs, out))
    train(recipe(tiny, pairs, out))


def test_a_dead_process_holds_nothing(tmp_path: Path):
    number = os.fork()
    if not number:
        Lock(tmp_path).acquire()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(number, 0)
    assert json.loads((tmp_path / "lock").read_text())["pid"] == number
    with Lock(tmp_path) as lock:
        lock.require_free()
        lock.acquire()
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()
    assert not (tmp_path / "lock").exists()


def test_a_lock_whose_file_was_taken_away_leaves_the_next_ones(tmp_path: Path):
    with Lock(tmp_path) as first, Lock(tmp_path) as second:
        first.acquire()
        (tmp_path / "lock").unlink()
        second.acquire()
        first.release()
        assert (tmp_path / "lock").exists()


@pytest.mark.parametrize("held", [{}, {"pid": 1}, {"pid": 1, "host": "elsewhere", "since": "noon"}, {"pid": 2**22 + 7}])
def test_without_locks_the_file_says_what_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: dict):
    def none(_file: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    (tmp_path / "lock").write_text(json.dumps({"host": partials.host()} | held if held else {}))
    notes: list[str] = []
    with Lock(tmp_path, notes.append) as lock:
        if held == {"pid": 1}:
            with pytest.raises(CallError, match="is in use: process 1"):
                lock.require_free()
            with pytest.raises(CallError, match="is in use: process 1"):
                lock.acquire()
            return
        lock.acquire()
    assert len(notes) == 1
    assert ("process 1 on elsewhere has a run going on here since noon" in notes[0]) == ("since" in held)
    assert "has no locks" in notes[0]
