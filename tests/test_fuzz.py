"""A fixed slice of the fuzzer's tries: right answers or messages, nothing else. `make fuzz` runs more."""

import subprocess
import sys
from pathlib import Path

from conftest import TESTED

TRIES, SEED = 300, 0


def test_a_slice_of_tries_ends_well() -> None:
    words = ["--tries", TRIES, "--seed", SEED, "--engines", ",".join(TESTED), "--jobs", 1]
    here = Path(__file__).parent
    done = subprocess.run([sys.executable, "-m", "fuzz", *map(str, words)], cwd=here, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert f"{TRIES} tries of seed {SEED}" in done.stdout


def test_a_try_is_the_same_each_time(one_engine: str) -> None:
    words = [sys.executable, "-m", "fuzz", "--only", "7", "--engines", one_engine]
    here = Path(__file__).parent
    first, second = (subprocess.run(words, cwd=here, capture_output=True, text=True).stdout for _ in range(2))
    assert first.startswith("--only 7 --seed 0: ") and first.splitlines()[:2] == second.splitlines()[:2]
