"""A job of mining that is killed before any call that changes its folder gives the same file once it goes on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import TEXTS

WALK = Path(__file__).parents[1] / "killing_mine.py"


@pytest.mark.parametrize(("search", "least"), [("exact", 20), ("lists", 26)])
def test_a_kill_at_any_change_is_made_good(one_engine: str, tiny: Path, tmp_path: Path, search: str, least: int):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"anchor": text[::-1], "positive": text}) + "\n" for text in TEXTS))
    command = [sys.executable, str(WALK), one_engine, str(tiny), str(rows), str(tmp_path), search]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert int(done.stdout.split()[-1]) > least
