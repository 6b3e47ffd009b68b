"""Vectors in an SQLite file, which several processes may use at a time."""

import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.files import disk
from mlx_metaembed.vector_cache.store import StoreError

APPLICATION = 0x4D654D62
"""Stands in the file's header, and says that the file is a cache of this kit."""
TABLE = """CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, row BLOB NOT NULL, expires REAL NOT NULL);
CREATE INDEX IF NOT EXISTS by_expiry ON vectors (expires);"""
KEYS_AT_ONCE = 500
LOCK_SECONDS = 10.0


class SqliteStore:
    """The file at `path`, made with its folder where it is not there; what has expired is thrown away on opening."""

    def __init__(self, path: Path):
        """Raises CallError where the file is something else or locked, JobError where it can't be made."""
        self.name, self._lock = str(path), threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JobError(f"The cache's folder {path.parent} can't be made: {disk.cause(error)}") from error
        try:
            self._base = sqlite3.connect(path, timeout=LOCK_SECONDS, check_same_thread=False)
            self._claim()
            # A reader and a writer do not wait for each other.
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = NORMAL")
            with self._base:
                self._base.execute("DELETE FROM vectors WHERE expires <= ?", (time.time(),))
        except sqlite3.Error as error:
            raise CallError(
                f"{path} can't be used as a cache ({error}); expected a file that this kit made, or none: "
                "name another path, or remove the file"
            ) from None

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """What is there of the keys, and not expired. Raises StoreError."""
        found: dict[bytes, bytes] = {}
        try:
            with self._lock:
                for first in range(0, len(keys), KEYS_AT_ONCE):
                    part = keys[first : first + KEYS_AT_ONCE]
                    marks = ", ".join("?" * len(part))
                    said = f"SELECT key, row FROM vectors WHERE key IN ({marks}) AND expires > ?"
                    found |= self._base.execute(said, (*part, time.time())).fetchall()
        except sqlite3.Error as error:
            raise StoreError(str(error)) from None
        return found

    def put(self, rows: Mapping[bytes, bytes], hours: float) -> None:
        """Keep the rows for so many hours, all or none of them. Raises StoreError."""
        expires = time.time() + hours * 3600
        try:
            with self._lock, self._base:
                said = "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)"
                self._base.executemany(said, ((key, row, expires) for key, row in rows.items()))
        except sqlite3.Error as error:
            raise StoreError(str(error), full=error.sqlite_errorcode == sqlite3.SQLITE_FULL) from None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    def _claim(self) -> None:
        """Make the table in a file that is empty. Raises CallError for a file that has something else."""
        (application,) = self._base.execute("PRAGMA application_id").fetchone()
        (tables,) = self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION:
            raise CallError(f"{self.name} is an SQLite file of something else; name another path for the cache")
        self._base.execute(f"PRAGMA application_id = {APPLICATION}")
        self._base.executescript(TABLE)
