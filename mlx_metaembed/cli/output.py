"""How a verb hands over its result: an answer or a table on stdout, notes and progress on stderr."""

import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager

import click


def note(text: str) -> None:
    """A line for people, on stderr."""
    click.echo(text, err=True)


def notes(texts: Sequence[str]) -> None:
    """What a reader of data has to say, a line each."""
    for text in texts:
        note(f"Data: {text}")


def answer(result: dict, as_json: bool, lines: Sequence[str]) -> None:
    """The verb's result: one JSON object, or lines for people, on stdout."""
    said = json.dumps(result, ensure_ascii=False) if as_json else "\n".join(lines)
    # The name of a file may be no text. In JSON the escape is the one that JSON has for it.
    click.echo(said.encode("utf-8", "backslashreplace").decode("utf-8"))


def table(rows: Sequence[dict], columns: Sequence[str]) -> list[str]:
    """Rows as aligned text lines: the first column to the left, numbers to the right, missing ones as -."""
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    sizes = [max(len(cell) for cell in column) for column in zip(columns, *cells, strict=True)]
    lines = []
    for line in [list(columns), *cells]:
        first, *others = [
            cell.ljust(size) if not at else cell.rjust(size)
            for at, (cell, size) in enumerate(zip(line, sizes, strict=True))
        ]
        lines.append("  ".join([first, *others]).rstrip())
    return lines


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def progress(length: int, label: str, **settings: object) -> AbstractContextManager:
    """A progress bar with time left on stderr; silent where stderr is no terminal."""
    return click.progressbar(
        length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty(), show_eta=True, **settings
    )
