"""Calls of the command line and of the readers of rows, with what must hold of each."""

import subprocess
import sys
from pathlib import Path

import pytest

from mlx_metaembed import data
from mlx_metaembed.cli import main
from mlx_metaembed.errors import CallError

COMMAND = [sys.executable, "-m", "mlx_metaembed"]


def run(
    *words: str,
    status: int = 0,
    stdin: str | bytes = "",
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess:
    """Run the program; the exit status must be as expected, and an error one message without a traceback."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run([*COMMAND, *map(str, words)], input=given, capture_output=True, cwd=cwd, env=env, timeout=120)
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


def refused(*words: str, stdin: str | bytes = "") -> str:
    """The message of a call that was wrong; stdout stays empty."""
    done = run(*words, status=2, stdin=stdin)
    assert done.stdout == ""
    return done.stderr


def call(capsys, *args):
    """Exit status, stdout, stderr of a call in this process."""
    try:
        main([*map(str, args)])
        status = 0
    except SystemExit as done:
        status = done.code or 0
    return status, *capsys.readouterr()


def message(path, **settings):
    """What is said of rows that can't be read."""
    with pytest.raises(CallError) as error:
        data.read(path, **settings)
    assert error.value.exit_status == 2
    return str(error.value)
