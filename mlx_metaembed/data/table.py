"""Rows with named columns, one after another, into one shape: what every reader of a table shares.

The first row that is recognised sets the shape and the columns; every later row must have the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlx_metaembed.data import columns as maps
from mlx_metaembed.data import shapes
from mlx_metaembed.data.cells import Cells
from mlx_metaembed.data.columns import Columns
from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.row_cells import RowCells
from mlx_metaembed.data.rows import Labelled, Pairs, Scored, Taken, Texts
from mlx_metaembed.data.shapes import KNOWN, Shape
from mlx_metaembed.data.verdicts import Judged
from mlx_metaembed.data.wanted import Wanted, taker
from mlx_metaembed.errors import CallError


@dataclass(frozen=True)
class Layout:
    """Where the names of one kind of row lie: those that the shape reads, and those that would be lost."""

    read: dict[str, maps.Path]
    lost: dict[str, str]


class Table:
    """Takes rows with `add`, notes what is wrong with them, and gives them as one of the row classes.

    With `texts` a text alone is a row too; `wanted` says what else is asked of the rows, `mapped` whether --columns can
    name their columns. `scores_as_text` is set where the source has only texts (CSV).
    """

    def __init__(
        self,
        faults: Faults,
        columns: Columns | None = None,
        *,
        texts: bool = False,
        wanted: Wanted | None = None,
        mapped: bool = True,
    ) -> None:
        self.faults, self.columns, self.texts, self.wanted = faults, columns or Columns(), texts, wanted
        self.mapped = mapped
        self.shape: Shape | None = None
        self.used: tuple[str, ...] = ()
        self.scores_as_text = False
        self._cells: Cells | None = None
        self._first = ""
        self._chosen = tuple(name for name, source in self.columns.chosen.items() if source)
        self._layouts: dict[tuple[str, ...], Layout | None] = {}
        self._positions: tuple[str, ...] = ()
        self._rows: list[tuple] = []
        self._judged = Judged()
        self._ids: dict[str, str] = {}
        self._lost: dict[str, str] = {}

    def header(self, where: str, columns: tuple[str, ...]) -> bool:
        """Whether columns belong to this table; the first that are recognised set its shape. Notes the faults."""
        return self._layout(where, columns) is not None

    def sources(self, columns: tuple[str, ...]) -> list[str]:
        """The source's columns that rows must bring: those that are read, and those that are refused with a value."""
        layout = self._layouts[columns]
        return list(dict.fromkeys([*(path[0] for path in layout.read.values()), *layout.lost]))

    def add(self, where: str, row: Mapping[str, object], columns: tuple[str, ...] = ()) -> None:
        """Take one row; `where` ("line 3") names it in faults. `columns` are its header's, where it brings but some."""
        layout = self._layout(where, columns or tuple(row))
        if layout is None:
            return
        picked = {name: maps.value(row, path) for name, path in layout.read.items()}
        for taken in self._cells.taken(where, picked):
            self._take(where, taken)
        for name, what in layout.lost.items():
            if row[name] not in (None, "", []):
                more = taker(name, what) if self.wanted else ""
                self.faults.add(
                    where, name, f"{what}, which nothing reads and which would be lost{more}", group=("lost", name)
                )
                self._lost[name] = ""

    def add_cells(self, where: str, cells: Sequence[object]) -> None:
        """Take one row without names: those of `columns` say what each position is, else the first row's cells do."""
        if not self._positions:
            names = () if self.columns else self._by_position(cells)
            if not names and not self.columns:
                what = (
                    f"{len(cells)} cells without names, which can't be told; name them: --columns anchor=1,positive=2"
                )
                self.faults.add(where, None, what, group=len(cells))
                return
            self._positions = names or tuple(str(number) for number in range(1, len(cells) + 1))
            self._first = where
        if len(cells) != len(self._positions):
            self.faults.add(where, None, f"{len(cells)} cells, {self._first} has {len(self._positions)}")
            return
        self.add(where, dict(zip(self._positions, cells, strict=True)))

    def _take(self, where: str, taken: tuple) -> None:
        if self.shape.kind == "pairs" and len(taken) == 4:
            self._judged.add(*taken)
            return
        if self.shape is shapes.TEXTS and not self.wanted:
            if taken[0] in self._ids:
                self.faults.add(where, "id", f"{taken[0]!r} stands on {self._ids[taken[0]]} already")
            self._ids[taken[0]] = where
        self._rows.append(taken)

    def rows(self) -> Pairs | Scored | Labelled | Texts | Taken:
        """Everything taken. Raises CallError with every fault, or where there is no row."""
        if self._lost:
            spelled = maps.written({**self.columns.chosen, **self._lost})
            named = f"say so: --columns '{spelled}'" if self.mapped else f"drop the keys {', '.join(self._lost)}"
            self.faults.advice[f"To leave them out on purpose, {named}"] = None
        self.faults.raise_any()
        if self.shape is None or not (self._rows or self._judged):
            known = f"Known columns: {self.wanted.taken}" if self.wanted and not self.wanted.is_pairs else self._known
            raise CallError(f"{self.faults.source} has no rows; expected at least one.\n{known}")
        if self._judged:
            self._rows, notes = self._judged.settle(self.faults.source)
            for note in notes:
                self.faults.note(note)
        if self.shape.kind == "rows":
            return Taken(self.shape, self._rows)
        kinds = {"pairs": Pairs, "scored": Scored, "labelled": Labelled, "text_alone": Texts}
        # Not zip(*rows): it would hold an iterator a row.
        columns = ([row[at] for row in self._rows] for at in range(len(self._rows[0])))
        return kinds[self.shape.kind](*columns)

    @property
    def _known(self) -> str:
        """What other columns there may be, where these are none that fit."""
        if not self.wanted or self.wanted.is_pairs:
            return KNOWN if self.mapped else KNOWN.rpartition("\n")[0]
        return "Other names are mapped with --columns, like --columns text=title" if self.mapped else "Rename the keys."

    def _by_position(self, cells: Sequence[object]) -> tuple[str, ...]:
        return (self.wanted.by_position(cells) if self.wanted else ()) or shapes.by_position(cells)

    def _fits(self, columns: tuple[str, ...]) -> list[Shape]:
        if self.wanted:
            return self.wanted.fits(columns, self._chosen)
        return shapes.complete(columns, self._chosen, texts=self.texts)

    def _layout(self, where: str, columns: tuple[str, ...]) -> Layout | None:
        if columns not in self._layouts:
            found = self._laid_out(where, columns)
            if found is None and self.shape is None:
                return None
            self._layouts[columns] = found
            return found
        return self._layouts[columns] or self._laid_out(where, columns)

    def _laid_out(self, where: str, columns: tuple[str, ...]) -> Layout | None:
        paths, absent = self.columns.plan(columns)
        for source in absent:
            listed = ", ".join(columns) or "none"
            self.faults.add(
                where, source, f"missing; --columns asks for it, and found are {listed}", group=(source, columns)
            )
        if absent or not self._recognised(where, tuple(paths)):
            return None
        lost = {}
        for name in paths:
            if name not in self.used:
                what = shapes.meant(name, self.shape, self.used, training=self.wanted is not None)
                if what and not self.texts:
                    lost[name] = what
                else:
                    self.faults.unused[name] = None
        return Layout({name: path for name, path in paths.items() if name in self.used}, lost)

    def _recognised(self, where: str, columns: tuple[str, ...]) -> bool:
        """Whether columns, under the kit's names, are those of the table's shape, which the first of them set."""
        fits = self._fits(columns)
        if self.shape is None:
            if len(fits) != 1:
                what = (
                    self.wanted.mismatch(columns, self._chosen)
                    if self.wanted
                    else shapes.mismatch(columns, self._chosen, fits)
                )
                self.faults.add(where, None, what, group=columns)
                self.faults.advice[self._known] = None
                return False
            self.shape, self._first = fits[0], where
            texts = fits[0] is shapes.TEXTS
            self.used = (*self.shape.required, *self.shape.optional) if texts else self.shape.used(columns)
            cells = RowCells if self.shape.kind == "rows" else Cells
            self._cells = cells(self.shape, self.used, self.columns, self.faults, self.scores_as_text)
        elif self.shape not in fits and fits:
            names = [", ".join(shape.required) for shape in (fits[0], self.shape)]
            self.faults.add(
                where, None, f"columns {names[0]}, but {self._first} has {names[1]}; one file has one shape"
            )
            return False
        optional = shapes.TEXTS.optional if self.shape is shapes.TEXTS else ()
        missing = [name for name in self.used if name not in columns and name not in optional]
        surplus = [name for name in self.shape.used(columns) if name not in self.used]
        for name in missing:
            self.faults.add(where, name, f"missing; {self._first} has it, and found are {', '.join(columns) or 'none'}")
        for name in surplus:
            self.faults.add(where, name, f"{self._first} has no such column; every row has the same")
        return not missing and not surplus
