"""A run's hold on its folder: a lock that the system takes off a process that has died, however it died."""

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mlx_metaembed.errors import CallError
from mlx_metaembed.files import flock, partials

FILE = "lock"
TRIES, PAUSE = 5, 0.05
"""Another call may look at the lock for a moment; pause in seconds."""


class Lock:
    """The lock of a folder, not held yet; as a context it is given back at the end."""

    def __init__(self, folder: Path, note: Callable[[str], None] = lambda text: None):
        self.path, self._note, self._file = folder / FILE, note, None

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_error: object) -> None:
        self.release()

    @property
    def held(self) -> bool:
        return self._file is not None

    def acquire(self) -> None:
        """Hold the lock until `release`, making its file where there is none. Raises CallError where another does."""
        if self._file is not None:
            return
        for _ in range(TRIES):
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                taken = flock.take(file)
                if taken is None:
                    self._without_locks()
                elif not taken:
                    time.sleep(PAUSE)
                    continue
                # Its last holder removed the file between the two calls.
                if not _is(file, self.path):
                    continue
                said = {
                    "pid": os.getpid(),
                    "host": partials.host(),
                    "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
                }
                os.ftruncate(file, 0)
                os.pwrite(file, (json.dumps(said) + "\n").encode(), 0)
                self._file, file = file, None
                return
            finally:
                if file is not None:
                    os.close(file)
        raise self._in_use()

    def require_free(self) -> None:
        """Raise CallError where another process holds the lock; nothing is written."""
        if self._file is not None or not self.path.is_file():
            return
        for _ in range(TRIES):
            try:
                file = os.open(self.path, os.O_RDWR)
            except FileNotFoundError:
                return
            try:
                taken = flock.take(file)
                if taken is None and self._runs_here():
                    break
                if taken is not False:
                    return
            finally:
                os.close(file)
            time.sleep(PAUSE)
        raise self._in_use()

    def release(self) -> None:
        """Give the lock back, and remove its file; nothing where it is not held."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            if _is(file, self.path):
                self.path.unlink(missing_ok=True)
        finally:
            os.close(file)

    def _without_locks(self) -> None:
        """Go by what the file says, and say what that leaves open."""
        if self._runs_here():
            raise self._in_use()
        holder = _read(self.path)
        if holder.get("host", partials.host()) != partials.host():
            self._note(
                f"{self.path} says that process {holder.get('pid')} on {holder['host']} has a run going on here since "
                f"{holder.get('since')}, and this file system has no locks to tell whether it still does: make sure "
                "that it does not"
            )
        else:
            self._note(f"The file system of {self.path.parent} has no locks: nothing keeps other machines' runs out")

    def _runs_here(self) -> bool:
        """Whether the file names a process of this machine that is alive."""
        holder = _read(self.path)
        pid = holder.get("pid", 0) if holder.get("host") == partials.host() else 0
        return pid > 0 and pid != os.getpid() and partials.alive(pid)

    def _in_use(self) -> CallError:
        holder = _read(self.path)
        who = f"process {holder['pid']} on {holder['host']}" if {"pid", "host"} <= holder.keys() else "another process"
        since = f" since {holder['since']}" if "since" in holder else ""
        stop = f", stop it (kill {holder['pid']})" if holder.get("host") == partials.host() else ""
        return CallError(
            f"{self.path.parents[1]} is in use: {who} has a run going on in it{since}. Wait for it to end{stop}, or "
            "choose another --out"
        )


def _is(file: int, path: Path) -> bool:
    """Whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _read(path: Path) -> dict:
    """Who holds the lock, as far as its file says so."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    kinds = {"pid": int, "host": str, "since": str}
    found = found if isinstance(found, dict) else {}
    return {name: found[name] for name, kind in kinds.items() if type(found.get(name)) is kind}
