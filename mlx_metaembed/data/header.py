"""The names of a source's columns, from its first row alone, as `--columns` maps them."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlx_metaembed.data import shapes, sources
from mlx_metaembed.data.columns import parse
from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.table import Table
from mlx_metaembed.errors import CallError


def column_names(source: str | Path, *, columns: str = "", no_header: bool = False) -> tuple[str, ...]:
    """The kit's names of a source's columns; none where it has no columns, or no row that can be read.

    Raises CallError where nothing is there or its kind is unknown, as `data.read` does.
    """
    mapped = parse(columns)
    try:
        path, options = sources.split(source)
        name = sources.reader(path, options)
        if name not in sources.TABLES:
            return ()
        reader = importlib.import_module(f"mlx_metaembed.data.readers.{name}")
        table = FirstRow(Faults(path, max_characters=1), mapped)
        reader.fill(path, table, **options, **({"header": not no_header} if name == "csv" else {}))
    except _Seen as seen:
        return seen.columns
    except OSError as error:
        raise CallError(f"{error.filename or source} can't be read ({error.strerror or error})") from None
    return ()


class _Seen(Exception):  # noqa: N818 (it ends the reading, and is no error)
    def __init__(self, columns: tuple[str, ...]) -> None:
        super().__init__()
        self.columns = columns


class FirstRow(Table):
    """A table that is left at its first row, by an exception that has the names of its columns."""

    def header(self, where: str, columns: tuple[str, ...]) -> bool:
        raise _Seen(tuple(self.columns.plan(columns)[0]))

    def add(self, where: str, row: Mapping[str, object], columns: tuple[str, ...] = ()) -> None:
        self.header(where, columns or tuple(row))

    def add_cells(self, where: str, cells: Sequence[object]) -> None:
        names = () if self.columns else shapes.by_position(cells)
        self.header(where, names or tuple(str(number) for number in range(1, len(cells) + 1)))
