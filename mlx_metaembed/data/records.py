"""The rows of a source one after another, as they stand there: what passes rows on instead of holding them.

A reader of a table fills this as it fills a `Table`; each row is given on at once, its columns under the names asked.
"""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path

from mlx_metaembed.data import columns as maps
from mlx_metaembed.data import sources
from mlx_metaembed.data.faults import Faults

Choose = Callable[[tuple[str, ...]], dict[str, maps.Path]]
Take = Callable[[str, dict[str, object]], None]


class Records:
    """Gives each row to `take`, with where it stands ("line 3"); `choose` says what lies where among its columns."""

    shape = None

    def __init__(self, faults: Faults, choose: Choose, take: Take) -> None:
        self.faults = faults
        self.scores_as_text = False
        self._choose, self._take = choose, take
        self._layouts: dict[tuple[str, ...], dict[str, maps.Path]] = {}

    def header(self, where: str, columns: tuple[str, ...]) -> bool:
        """True: a header that does not do is an error of `choose`."""
        self._layout(columns)
        return True

    def sources(self, columns: tuple[str, ...]) -> list[str]:
        """The source's columns that rows must bring."""
        # A table of which nothing is asked still says how many rows it has.
        return list(dict.fromkeys(path[0] for path in self._layout(columns).values())) or list(columns[:1])

    def add(self, where: str, row: Mapping[str, object], columns: tuple[str, ...] = ()) -> None:
        """Pass a row on; `columns` are its header's, where it brings but some."""
        layout = self._layout(columns or tuple(row))
        self._take(where, {name: maps.value(row, path) for name, path in layout.items()})

    def add_cells(self, where: str, cells: list) -> None:
        """Pass a row without names on: its columns are called 1, 2, ..."""
        names = tuple(str(number) for number in range(1, len(cells) + 1))
        self.add(where, dict(zip(names, cells, strict=True)))

    def _layout(self, columns: tuple[str, ...]) -> dict[str, maps.Path]:
        if columns not in self._layouts:
            self._layouts[columns] = self._choose(columns)
        return self._layouts[columns]


def fill(
    path: Path,
    options: Mapping[str, str],
    *,
    max_characters: int,
    choose: Choose,
    take: Take,
    no_header: bool = False,
    reader: str = "",
) -> Faults:
    """Give every row of a file with columns to `take`; what was noted on the way.

    Raises CallError with all the faults of the file, and what `choose` and `take` raise.
    """
    faults = Faults(path, max_characters)
    name = reader or sources.reader(path, options)
    module = importlib.import_module(f"mlx_metaembed.data.readers.{name}")
    module.fill(path, Records(faults, choose, take), **options, **({"header": not no_header} if name == "csv" else {}))
    faults.raise_any()
    return faults
