"""One table or view of an SQLite file, opened for reading only.

`chats.db` where the file has one table, `chats.db?table=pairs` where it has several. A view can compute rows without
end, or search for ever without giving one: both are ended with a message.
"""

from pathlib import Path

from mlx_metaembed.data import sqlite_file
from mlx_metaembed.data.sqlite_file import quoted
from mlx_metaembed.data.table import Table
from mlx_metaembed.errors import CallError

COMPUTED_ROWS, GROWTH = 100_000, 100
"""Past so many rows, a view gives at most so many times the characters that its file has bytes; a table has its own."""
NUMBER = 8
"""Characters that a number counts as."""


def fill(path: Path, filled: Table, *, table: str | None = None) -> None:
    """Take the rows of a table. Raises CallError where the file can't be read or the table can't be told."""
    with sqlite_file.opened(path) as (base, waiting):
        computed = sqlite_file.tables(base)
        name = sqlite_file.choose(path, list(computed), table)
        filled.faults.source = f"{path}?table={name}"
        columns = sqlite_file.columns(base, name)
        if not filled.header("its schema", columns):
            return
        wanted = filled.sources(columns)
        size, given = path.stat().st_size, 0
        rows = base.execute(f"SELECT {', '.join(map(quoted, wanted))} FROM {quoted(name)}")
        for number, row in enumerate(rows, 1):
            waiting.seen()
            if computed[name]:
                given += sum(len(value) if isinstance(value, str | bytes) else NUMBER for value in row)
            if number > COMPUTED_ROWS and given > GROWTH * size:
                raise CallError(
                    f"{filled.faults.source} is a view and gives more than {COMPUTED_ROWS:,} rows, {GROWTH} times its "
                    f"file; if it has an end, make a table of it: CREATE TABLE rows AS SELECT * FROM {quoted(name)}"
                )
            filled.add(f"row {number}", dict(zip(wanted, row, strict=True)), columns)
