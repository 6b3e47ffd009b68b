"""Calls of the command line and of the readers of rows, with what must hold of each."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlx_metaembed import data
from mlx_metaembed.cli import main
from mlx_metaembed.errors import CallError

COMMAND = [sys.executable, "-m", "mlx_metaembed"]


def run(
    *words: object, status: int = 0, stdin: str | bytes = "", cwd: Path | None = None
) -> subprocess.CompletedProcess:
    """What the program answers, called in this process: a new one would import an engine again, seconds of work.

    The exit status must be as expected, and an error one message without a traceback.
    """
    words = [*map(str, words)]
    found = 0
    with contextlib.chdir(cwd or Path.cwd()), CliRunner().isolation(input=stdin) as (out, err, _):
        try:
            main(words)
        except SystemExit as done:
            found = done.code or 0
        sys.stdout.flush()
        sys.stderr.flush()
    return _checked(words, found, out.getvalue(), err.getvalue(), status)


def run_process(*words: object, status: int = 0, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """`run` in a process of its own, for what is read from the environment or must hold in a fresh one."""
    words = [*map(str, words)]
    done = subprocess.run([*COMMAND, *words], stdin=subprocess.DEVNULL, capture_output=True, env=env, timeout=120)
    return _checked(words, done.returncode, done.stdout, done.stderr, status)


def _checked(words: list[str], found: int, out: bytes, err: bytes, status: int) -> subprocess.CompletedProcess:
    done = subprocess.CompletedProcess(words, found, out.decode(), err.decode())
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
