"""A run that is killed before any call that changes its folder ends, once it goes on, as if it had not been."""

import os
import subprocess
import sys
from pathlib import Path

from evaluated_runs import held_out

WALK = Path(__file__).parents[1] / "killing.py"


def walked(engine: str, tiny: Path, pairs: Path, folder: Path, *rows: str) -> str:
    """What the walk prints. Both engines share all that writes, so one is walked."""
    command = [sys.executable, str(WALK), engine, str(tiny), str(pairs), str(folder), *rows]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout


def test_a_kill_at_any_change_is_made_good(one_engine: str, tiny: Path, pairs: Path, tmp_path: Path):
    assert int(walked(one_engine, tiny, pairs, tmp_path).split()[-1]) > 90


def test_so_is_one_of_a_run_that_is_evaluated(one_engine: str, tiny: Path, pairs: Path, tmp_path: Path):
    """The best step of four is the second, so that a best one gives way, and one outlives a newer one."""
    rows = held_out(tmp_path, "accuracy")
    said = walked(one_engine, tiny, pairs, tmp_path, str(rows), "3")
    assert said.startswith("best step 2\n") and int(said.split()[-1]) > 70
