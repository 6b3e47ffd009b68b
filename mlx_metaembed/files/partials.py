"""Names of what is half-written, `.NAME.partial-HOST-PID`, and the removal of what dead processes left.

The name says who writes, so that no live process loses its work; a process on another machine is never judged.
"""

import errno
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NAME = re.compile(r"\..+\.partial-(?:(?P<host>[\w.~]+)-)?(?P<pid>\d{1,10})", re.DOTALL)
LONGEST = 120
"""Bytes of the final name that a temporary one repeats; file systems end names at 255 bytes."""
_WRITTEN: set[Path] = set()
"""What this process writes now."""


def host() -> str:
    """This machine's name, in characters that a file's name may have."""
    return re.sub(r"[^\w.]", "~", socket.gethostname(), flags=re.ASCII)[:64] or "~"


def beside(path: Path) -> Path:
    """The name under which this process writes what will be `path`."""
    name = path.name
    while len(os.fsencode(name)) > LONGEST:
        name = name[:-1]
    return path.with_name(f".{name}.partial-{host()}-{os.getpid()}")


def is_partial(name: str) -> bool:
    """Whether a name is one that `beside` gives, on any machine."""
    return NAME.fullmatch(name) is not None


def remove(path: Path) -> None:
    """Remove a file or a folder, whatever of it is there; a link goes, not what it points at."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def clear(folder: Path, *, every: bool = False) -> None:
    """Remove from a folder what processes of this machine left half-written there and can't end any more.

    `every`: whoever wrote it, for a folder that no other process may write into.
    """
    with suppress(OSError):
        for path in list(folder.iterdir()):
            if _is_dead(path, every):
                # What another user left is not in the way.
                with suppress(OSError):
                    remove(path)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """The temporary name of `path`, free and this process's own until the block ends; what is there then vanishes.

    Raises FileExistsError where this process writes the same path already.
    """
    partial = beside(path)
    if partial in _WRITTEN:
        raise FileExistsError(errno.EEXIST, "this process writes it already", str(path))
    clear(path.parent)
    _WRITTEN.add(partial)
    try:
        yield partial
    finally:
        try:
            remove(partial)
        finally:
            _WRITTEN.discard(partial)


def alive(pid: int) -> bool:
    """Whether a process of this machine has the number."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _is_dead(path: Path, every: bool) -> bool:
    found = NAME.fullmatch(path.name)
    if not found:
        return False
    if every:
        return path not in _WRITTEN
    if found["host"] not in (None, host()):
        return False
    # In a container the process that was killed had this one's number.
    return path not in _WRITTEN if int(found["pid"]) == os.getpid() else not alive(int(found["pid"]))
