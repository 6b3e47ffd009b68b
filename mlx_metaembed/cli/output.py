"""How a verb hands over its result: an answer or a table on stdout, notes on stderr."""

import json
from collections.abc import Sequence

import click

from mlx_metaembed.cli.signals import discard_output
from mlx_metaembed.errors import JobError
from mlx_metaembed.progress import display


def note(text: str) -> None:
    """A line for people, on stderr."""
    display.write(text)


def notes(texts: Sequence[str]) -> None:
    """What a reader of data has to say, a line each."""
    for text in texts:
        note(f"Data: {text}")


def answer(result: dict, as_json: bool, lines: Sequence[str]) -> None:
    """The verb's result: one JSON object, or lines for people, on stdout."""
    said = json.dumps(result, ensure_ascii=False) if as_json else "\n".join(lines)
    try:
        # The name of a file may be no text. In JSON the escape is the one that JSON has for it.
        click.echo(said.encode("utf-8", "backslashreplace").decode("utf-8"))
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_output()
        raise JobError(f"Could not write the answer to stdout: {error.strerror or error}") from None


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
