"""One measurement in a fresh process: nothing loaded, compiled or cached by another contestant is there."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent


def command(module: str, options: Mapping[str, object]) -> list[str]:
    """`python -m <module> --name value ...`."""
    words = [sys.executable, "-m", module]
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return words


def measure(module: str, options: Mapping[str, object]) -> dict:
    """The JSON object that the program prints last. Raises RuntimeError with its last words where it failed."""
    words = command(module, options)
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise RuntimeError(f"{' '.join(words[1:])} ended with status {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(lines[-1])
