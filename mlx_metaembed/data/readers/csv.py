"""CSV and TSV, with a header line or without, quoted as spreadsheets do: "a ""quoted"" word".

Strict about quotes: one that is never closed would otherwise swallow the rest of the file as one text.
"""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlx_metaembed.data import lines
from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.shapes import is_number
from mlx_metaembed.data.table import Table

UNCLOSED = "a quote is opened here and never closed"


def fill(path: Path, table: Table, *, header: bool = True) -> None:
    """Take a file's rows; without a header cells are told by their positions. Notes the faults."""
    table.scores_as_text = True
    separator = "\t" if ".tsv" in path.name.lower() else ","
    names: tuple[str, ...] = ()
    with _any_length():
        for where, cells in _records(path, separator, table.faults):
            if not header:
                table.add_cells(where, cells)
            elif names:
                _add(table, where, names, cells)
            else:
                names = tuple(cell.strip() for cell in cells)
                if not _good_header(table, where, names, separator):
                    break


def _add(table: Table, where: str, header: tuple[str, ...], cells: list[str]) -> None:
    if len(cells) == len(header):
        table.add(where, dict(zip(header, cells, strict=True)))
        return
    advice = "; a text with the separator in it needs quotes around it" if len(cells) > len(header) else ""
    table.faults.add(where, None, f"{len(cells)} cells, the header has {len(header)}{advice}")


def _good_header(table: Table, where: str, header: tuple[str, ...], separator: str) -> bool:
    twice = sorted({name for name in header if header.count(name) > 1})
    for name in twice:
        table.faults.add(where, name, "stands twice in the header")
    if table.header(where, header):
        return not twice
    if any(name.count(" ") > 1 or is_number(name) for name in header):
        scored = len(header) == 3 and is_number(header[-1])
        names = ["sentence1", "sentence2", "score"] if scored else ["anchor", "positive", "negative"][: len(header)]
        example = separator.join(names) if 2 <= len(header) <= 3 else separator.join(["anchor", "positive"])
        advice = (
            f"The first line looks like a row, not like a header. Put a header line before it, such as: {example!r}, "
            f"or read the columns by position with --no-header"
        )
        table.faults.advice = {advice: None} | table.faults.advice
    elif len(header) == 1:
        others = [name for mark, name in ((";", "semicolon"), ("\t", "tab"), (",", "comma")) if mark in header[0]]
        if others:
            wanted = "a tab (.tsv)" if separator == "\t" else "a comma (.csv)"
            table.faults.advice = {
                f"Its cells are separated by a {others[0]}; expected {wanted}.": None
            } | table.faults.advice
    return False


def _records(path: Path, separator: str, faults: Faults) -> Iterator[tuple[str, list[str]]]:
    """Where each record starts ("line 3"), and its cells; blank lines are passed over, broken ones noted."""
    reader = csv.reader((text for _, text in lines.read(path, faults)), delimiter=separator, strict=True)
    while True:
        where = f"line {reader.line_num + 1}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            what = UNCLOSED if "end of data" in str(error) else f"{error}; double a quote inside a quoted cell"
            faults.add(where, None, what)
        else:
            if cells:
                yield where, cells


@contextmanager
def _any_length() -> Iterator[None]:
    """Lift the csv module's limit of 131,072 characters a cell for a while: the kit names its own limit."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)
