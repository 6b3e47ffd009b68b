"""A lock on an open file, which the system takes off a process that has died, however it died."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlx_metaembed.errors import CallError

try:
    import fcntl
except ImportError:  # No such system calls, and no lock.
    fcntl = None

LOCK = "lock"
"""The file of a folder that is held by one process."""
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.EBADF}
"""What file systems answer that have no locks."""


def take(file: int) -> bool | None:
    """Whether the lock of an open file is now held, until it is closed; None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in NO_LOCKS:
            return None
        raise
    return True


@contextmanager
def held(folder: Path, busy: str) -> Iterator[None]:
    """Hold a folder's lock; where the system has no locks, go on without. Raises CallError, which says `busy`, where
    another process has it."""
    with (folder / LOCK).open("a") as file:
        if take(file.fileno()) is False:
            raise CallError(busy)
        yield
