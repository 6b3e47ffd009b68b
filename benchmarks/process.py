"""One measurement in a fresh process: nothing loaded, compiled or cached by another contestant is there."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def command(module: str, options: Mapping[str, object]) -> list[str]:
    """`python -m <module> --name value ...`."""
    words = [sys.executable, "-m", module]
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return words


def measure(module: str, options: Mapping[str, object], threads: int | None = None, at: Path = ROOT) -> dict:
    """The JSON object that the program prints last, run in the folder `at`; `threads` limits every library of it.

    Raises RuntimeError with the program's last words where it failed.
    """
    words = command(module, options)
    limits = dict.fromkeys(THREADS, str(threads)) if threads else {}
    done = subprocess.run(
        words, cwd=at, env=os.environ | limits, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise RuntimeError(f"{' '.join(words[1:])} ended with status {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(lines[-1])
