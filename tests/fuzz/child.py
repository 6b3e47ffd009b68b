"""The child that a try runs in: limits on its time and memory, and how it ended."""

import contextlib
import faulthandler
import math
import os
import resource
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

CPU_SECONDS, WALL_SECONDS, BLOCKED_SECONDS = 30, 120, 5
MORE_MEMORY_BYTES = 512 * 2**20
"""How much more than the server a try may hold; past three times that it gets no more."""


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit status or minus its signal, memory in bytes beside the server's, what it wrote."""

    status: int
    memory: int
    out: str
    err: str


def called(words: list[str], work: Path) -> Ended:
    """How the command line ends on `words`, in a child of this process with limits on its time and memory."""
    held = _resident()
    child = os.fork()
    if child == 0:
        _call(words, work)
    limit, pause, waits = time.monotonic() + WALL_SECONDS, 0.002, ("", time.monotonic())
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            break
        if (state := _waiting(child)) != waits[0] or not state:
            waits = (state, time.monotonic())
        if time.monotonic() > limit or time.monotonic() > waits[1] + BLOCKED_SECONDS:
            os.kill(child, signal.SIGALRM)
            limit, waits = math.inf, (None, math.inf)
        time.sleep(pause)
        pause = min(pause * 1.3, 0.05)
    texts = [(work.with_suffix(end)).read_bytes().decode("utf-8", "replace") for end in (".out", ".err")]
    for end in (".out", ".err"):
        work.with_suffix(end).unlink()
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Ended(os.waitstatus_to_exitcode(status), max(peak - held, 0), *texts)


def _waiting(child: int) -> str:
    """The processor time of a child that sleeps; nothing where it computes or the system does not say."""
    try:
        state, *numbers = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return " ".join(numbers[10:12]) if state == "S" else ""


def _call(words: list[str], work: Path) -> None:
    """The child: never returns."""
    status = 70
    try:
        for number, end in ((1, ".out"), (2, ".err")):
            opened = os.open(work.with_suffix(end), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(opened, number)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
        faulthandler.enable(sys.stderr)
        os.chdir(work)
        os.environ["TMPDIR"] = str(work / "tmp")
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
        if size := _address_space():
            most = size + 3 * MORE_MEMORY_BYTES
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
        from mlx_metaembed.cli import main

        main(words)
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _resident() -> int:
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * resource.getpagesize() if status.is_file() else 0


def _address_space() -> int:
    """Bytes of addresses in use; 0 where the system does not say."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[0]) * resource.getpagesize() if status.is_file() else 0
