"""An SQLite file, opened for reading only: what every reader of one shares.

The file may be in use: it is locked for no longer than a query takes, and what other programs write is seen. What they
lock is waited for some seconds. Nothing is left beside it: a database that is written through a `-wal` file and has
none is read as it lies, since SQLite would make that file and another and not take them away.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from mlx_metaembed.errors import CallError, nearest

MAGIC = b"SQLite format 3\0"
TABLES = r"""SELECT name, type = 'view' OR sql LIKE 'CREATE VIRTUAL%' FROM sqlite_master
WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\'"""
STEPS, PATIENCE = 1_000_000, 100
"""Steps of SQLite's machine between two looks at it, and looks without a row: some seconds."""
LOCK_SECONDS = 5.0
LONGEST = 64 << 20
"""Bytes of a value."""
PAGE_BYTES, WRITES_WAL = slice(16, 18), 18
"""Where the header has the size of a page, big-endian, and 2 if the file is written through a `-wal` file."""


class Waiting:
    """Ends a query that computes for long without a row; `seen` says that there was one."""

    def __init__(self) -> None:
        self._looks = 0

    def seen(self) -> None:
        self._looks = 0

    def look(self) -> bool:
        self._looks += 1
        return self._looks > PATIENCE


@contextmanager
def opened(path: Path) -> Iterator[tuple[sqlite3.Connection, Waiting]]:
    """A connection that can't write, and its clock.

    Raises CallError where the file is locked, cut short or no database, or changes while it is read as it lies.
    """
    _require_whole_pages(path)
    lies, before = lacks_wal(path), _state(path)
    how = "immutable=1" if lies else "mode=ro"
    try:
        with closing(
            sqlite3.connect(f"file:{quote(str(path.resolve()))}?{how}", uri=True, timeout=LOCK_SECONDS)
        ) as base:
            # A text that is not UTF-8 becomes one with lone surrogates, which the checks of a text refuse.
            base.text_factory = lambda raw: raw.decode("utf-8", errors="surrogateescape")
            base.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
            base.execute("PRAGMA trusted_schema = OFF")
            waiting = Waiting()
            base.set_progress_handler(waiting.look, STEPS)
            yield base, waiting
    except sqlite3.Error as error:
        raise CallError(_said(path, error)) from None
    except (UnicodeError, ValueError) as error:
        raise CallError(f"{path} has names that are not UTF-8 text ({error})") from None
    if lies and _state(path) != before:
        raise CallError(f"{path} was written to while it was read; call again, or read a copy of the file")


def lacks_wal(path: Path) -> bool:
    """Whether a database is written through a `-wal` file and has none beside it: closed, or copied without it."""
    with path.open("rb") as file:
        return file.read(WRITES_WAL + 1)[WRITES_WAL:] == b"\2" and not Path(f"{path.resolve()}-wal").exists()


def is_sqlite(path: Path) -> bool:
    """Whether a file begins as an SQLite file does, whatever its name is."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def tables(base: sqlite3.Connection) -> dict[str, bool]:
    """The tables and views; True for those that compute their rows."""
    return dict(base.execute(TABLES).fetchall())


def columns(base: sqlite3.Connection, table: str) -> tuple[str, ...]:
    """The names of a table's columns."""
    return tuple(column[0] for column in base.execute(f"SELECT * FROM {quoted(table)} LIMIT 0").description)


def choose(path: Path, found: list[str], wanted: str | None) -> str:
    """The table that is wanted, or the only one. Raises CallError, which lists those that are there."""
    listed = ", ".join(sorted(found)) or "none"
    if wanted is not None and wanted not in found:
        raise CallError(f"{path} has no table {wanted!r}; its tables: {listed}{nearest(wanted, found)}")
    if wanted is None and len(found) != 1:
        example = f"; choose one like this: '{path}?table={sorted(found)[0]}'" if found else "; expected one"
        raise CallError(f"{path} has {len(found)} tables ({listed}){example}")
    return wanted or found[0]


def quoted(name: str) -> str:
    """A name as SQL reads it."""
    return '"' + name.replace('"', '""') + '"'


def _require_whole_pages(path: Path) -> None:
    """Raise CallError where a file ends within a page: SQLite would read zeros for what is lost."""
    with path.open("rb") as file:
        start = file.read(PAGE_BYTES.stop)
        size = os.fstat(file.fileno()).st_size
    page = int.from_bytes(start[PAGE_BYTES], "big")
    page = 65_536 if page == 1 else page
    if start.startswith(MAGIC) and page and size % page:
        raise CallError(f"{path} is cut short: {size:,} bytes, expected whole pages of {page:,}. Copy it again")


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _said(path: Path, error: sqlite3.Error) -> str:
    said = str(error)
    if not isinstance(error, sqlite3.OperationalError):
        return f"{path} is no SQLite file that can be read ({said})"
    if said == "interrupted":
        said = "it computed for long and gave no row; make a table of the view"
    elif "locked" in said:
        said = "another program holds a lock on it; close that program, or read a copy of the file"
    elif "authorization denied" in said or "unable to open" in said:
        said = f"{said}; on macOS the terminal needs Full Disk Access (System Settings, Privacy & Security)"
    return f"{path} can't be read: {said}"
