"""The column map: which column of a source is which of the kit's, as `--columns anchor=title,positive=source` says.

A source is a column's name, a path into objects (`answers.text`, `answers.0`), or a position from 1 where a row has no
names. Nothing after the equals sign leaves a column out on purpose: `score=`.
"""

import csv
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from mlx_metaembed.data.shapes import ROLES, is_candidates, is_negative
from mlx_metaembed.errors import CallError, faults, nearest

EXAMPLE = "anchor=title,positive=source"
Path = tuple[str, ...]
"""A column, then the keys inside its objects."""


@dataclass(frozen=True)
class Columns:
    """Source by the kit's name for it; an empty source leaves the column out."""

    chosen: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.chosen)

    def __str__(self) -> str:
        return written(self.chosen)

    def plan(self, found: tuple[str, ...]) -> tuple[dict[str, Path], list[str]]:
        """Where each name's value lies in a row of columns `found`, and the sources that are not there."""
        paths = {name: _path(source, found) for name, source in self.chosen.items() if source}
        taken = {path[0] for path in paths.values() if path}
        plain = {name: (name,) for name in found if name not in taken and name not in self.chosen}
        missing = [self.chosen[name] for name, path in paths.items() if not path]
        return {name: path for name, path in paths.items() if path} | plain, missing

    def source(self, name: str) -> str:
        """What the source calls the column `name`."""
        return self.chosen.get(name) or name


def parse(text: str, known: Collection[str] = ROLES) -> Columns:
    """The map that `anchor=title,positive=source` spells; a name with a comma in it stands in double quotes.

    `known` are the names that may be filled; where they are those of rows, negatives and their scores may too.
    Raises CallError with all that is wrong: no equals sign, a name that the kit does not know, one given twice.
    """
    try:
        parts = [part.strip() for line in csv.reader([text], strict=True, skipinitialspace=True) for part in line]
    except csv.Error as error:
        raise CallError(f"--columns {text!r}: {error}; expected NAME=COLUMN, like {EXAMPLE}") from None
    chosen: dict[str, str] = {}
    wrong = []
    for part in parts if text.strip() else []:
        name, equals, source = (piece.strip() for piece in part.partition("="))
        if not equals or not name:
            wrong.append(f"{part!r}: expected NAME=COLUMN, like {EXAMPLE}")
        elif name in chosen:
            wrong.append(f"{name!r} is given twice: {chosen[name]!r} and {source!r}")
        elif source and name not in known and not (known is ROLES and (is_negative(name) or is_candidates(name))):
            wrong.append(f"there is no column {name!r} to fill{nearest(name, known)}; known: {', '.join(known)}")
        else:
            chosen[name] = source
    if wrong:
        raise faults(f"--columns {text!r}:", wrong)
    return Columns(chosen)


def written(chosen: Mapping[str, str]) -> str:
    """A map as `parse` reads it."""
    cells = [f"{name}={source}" for name, source in chosen.items()]
    return ",".join('"' + cell.replace('"', '""') + '"' if set(cell) & set(',"') else cell for cell in cells)


def value(row: Mapping[str, object], path: Path) -> object:
    """What lies at a path; None where it leads nowhere. A key of a list of objects gives the list of their values."""
    found = row[path[0]]
    if len(path) == 1:
        return found
    for key in path[1:]:
        if isinstance(found, Mapping):
            found = found.get(key)
        elif isinstance(found, list) and key.isdecimal():
            found = found[int(key)] if int(key) < len(found) else None
        elif isinstance(found, list):
            found = [each.get(key) if isinstance(each, Mapping) else None for each in found]
        else:
            return None
    return found


def _path(source: str, found: tuple[str, ...]) -> Path:
    """The longest column that a source starts with, then its keys; empty where no column fits."""
    if source in found:
        return (source,)
    parts = source.split(".")
    for count in range(len(parts) - 1, 0, -1):
        if (column := ".".join(parts[:count])) in found:
            return (column, *parts[count:])
    return ()
