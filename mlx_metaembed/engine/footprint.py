"""The process's own memory in bytes: what it held at most, and what the machine has."""

import ctypes
import os
import resource
import sys
from pathlib import Path


def peak(*, reset: bool = False) -> int:
    """The most the process has held, in bytes; on Linux since the last reset, elsewhere since it began."""
    status = Path("/proc/self/status")
    if not status.is_file():
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    most = int(lines["VmHWM"].split()[0]) * 1024
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    return most


def now() -> int:
    """What the process holds, in bytes; on macOS what Activity Monitor counts, Metal's buffers included."""
    if sys.platform == "darwin":
        return _physical_footprint()
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * resource.getpagesize() if status.is_file() else peak()


def _physical_footprint() -> int:
    """`phys_footprint` of libproc's proc_pid_rusage: the eighth number after a uuid in struct rusage_info_v0."""
    numbers = (ctypes.c_uint64 * 12)()
    library = ctypes.CDLL("/usr/lib/libproc.dylib", use_errno=True)
    if library.proc_pid_rusage(os.getpid(), 0, ctypes.byref(numbers)):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return numbers[2 + 7]


def machine() -> int | None:
    """The machine's memory in bytes, or None where it can't be read."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
