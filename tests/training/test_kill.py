"""A run that is killed before any call that changes its folder ends, once it goes on, as if it had not been."""

import os
import subprocess
import sys
from pathlib import Path

from conftest import TESTED

WALK = Path(__file__).parents[1] / "killing.py"


def test_a_kill_at_any_change_is_made_good(tiny: Path, pairs: Path, tmp_path: Path):
    """Both engines share all that writes, so one is walked."""
    command = [sys.executable, str(WALK), TESTED[0], str(tiny), str(pairs), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert int(done.stdout.split()[-1]) > 90
