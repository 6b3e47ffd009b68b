"""One table or view of an SQLite file, opened for reading only.

`chats.db` where the file has one table, `chats.db?table=pairs` where it has several.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.rows import Labelled, Pairs, Scored
from mlx_metaembed.data.table import Table
from mlx_metaembed.errors import CallError, nearest

TABLES = r"SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\'"


def read(path: Path, faults: Faults, *, table: str | None = None) -> Pairs | Scored | Labelled:
    """The rows of a table. Raises CallError with all their faults, or where the table can't be told."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)) as base:
            # A text that is not UTF-8 becomes one with lone surrogates, which the checks of a text refuse.
            base.text_factory = lambda raw: raw.decode("utf-8", errors="surrogateescape")
            name = _choose(path, [row[0] for row in base.execute(TABLES)], table)
            faults.source = f"{path}?table={name}"
            filled = Table(faults)
            columns = tuple(column[0] for column in base.execute(f"SELECT * FROM {_quoted(name)} LIMIT 0").description)
            if filled.header("its schema", columns):
                wanted = ", ".join(map(_quoted, filled.used))
                for number, row in enumerate(base.execute(f"SELECT {wanted} FROM {_quoted(name)}"), 1):
                    filled.add(f"row {number}", dict(zip(filled.used, row, strict=True)))
    except sqlite3.Error as error:
        raise CallError(f"{path} is no SQLite file that can be read ({error})") from None
    return filled.rows()


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
