"""One table or view of an SQLite file, opened for reading only.

`chats.db` where the file has one table, `chats.db?table=pairs` where it has several. A view can compute rows without
end, or search for ever without giving one: both are ended with a message.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from mlx_metaembed.data.table import Table
from mlx_metaembed.errors import CallError, nearest

TABLES = r"""SELECT name, type = 'view' OR sql LIKE 'CREATE VIRTUAL%' FROM sqlite_master
WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\'"""
COMPUTED_ROWS, GROWTH = 100_000, 100
"""Past so many rows, a view gives at most so many times the characters that its file has bytes; a table has its own."""
STEPS, PATIENCE = 1_000_000, 100
"""Steps of SQLite's machine between two looks at it, and looks without a row: some seconds."""
LOCK_SECONDS = 5.0
LONGEST = 64 << 20
"""Bytes of a value."""


def fill(path: Path, filled: Table, *, table: str | None = None) -> None:
    """Take the rows of a table. Raises CallError where the file can't be read or the table can't be told."""
    try:
        with closing(
            sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True, timeout=LOCK_SECONDS)
        ) as base:
            _fill(path, filled, base, table)
    except sqlite3.Error as error:
        raise CallError(f"{path} is no SQLite file that can be read ({_said(error)})") from None
    except (UnicodeError, ValueError) as error:
        raise CallError(f"{path} has names that are not UTF-8 text ({error})") from None


def _fill(path: Path, filled: Table, base: sqlite3.Connection, table: str | None) -> None:
    # A text that is not UTF-8 becomes one with lone surrogates, which the checks of a text refuse.
    base.text_factory = lambda raw: raw.decode("utf-8", errors="surrogateescape")
    base.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
    base.execute("PRAGMA trusted_schema = OFF")
    waited = [0]

    def look() -> bool:
        waited[0] += 1
        return waited[0] > PATIENCE

    base.set_progress_handler(look, STEPS)
    computed = dict(base.execute(TABLES).fetchall())
    name = _choose(path, list(computed), table)
    filled.faults.source = f"{path}?table={name}"
    columns = tuple(column[0] for column in base.execute(f"SELECT * FROM {_quoted(name)} LIMIT 0").description)
    if not filled.header("its schema", columns):
        return
    wanted = filled.sources(columns)
    size, given = path.stat().st_size, 0
    for number, row in enumerate(base.execute(f"SELECT {', '.join(map(_quoted, wanted))} FROM {_quoted(name)}"), 1):
        waited[0] = 0
        if computed[name]:
            given += sum(len(value) for value in row if isinstance(value, str | bytes))
        if number > COMPUTED_ROWS and given > GROWTH * size:
            raise CallError(
                f"{filled.faults.source} is a view and gives more than {COMPUTED_ROWS:,} rows, {GROWTH} times its "
                f"file; if it has an end, make a table of it: CREATE TABLE rows AS SELECT * FROM {_quoted(name)}"
            )
        filled.add(f"row {number}", dict(zip(wanted, row, strict=True)), columns)


def _said(error: sqlite3.Error) -> str:
    if str(error) == "interrupted":
        return "it computed for long and gave no row; make a table of the view"
    return "another program holds a lock on it" if "locked" in str(error) else str(error)


def _choose(path: Path, tables: list[str], wanted: str | None) -> str:
    listed = ", ".join(sorted(tables)) or "none"
    if wanted is not None and wanted not in tables:
        raise CallError(f"{path} has no table {wanted!r}; its tables: {listed}{nearest(wanted, tables)}")
    if wanted is None and len(tables) != 1:
        example = f"; choose one like this: '{path}?table={sorted(tables)[0]}'" if tables else "; expected one"
        raise CallError(f"{path} has {len(tables)} tables ({listed}){example}")
    return wanted or tables[0]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
