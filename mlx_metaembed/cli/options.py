"""Options that several verbs share, and how a verb hands over its result."""

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import click

from mlx_metaembed.errors import CallError

engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", "mlx", "torch"]),
    default="auto",
    show_default=True,
    help="Which engine computes; auto names its choice and the reason on stderr.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, notes on stderr.")


max_seq_length_option = click.option(
    "--max-seq-length",
    type=click.IntRange(1),
    help="Tokens a text; longer ones are cut. Default: what the model declares.",
)


def dims_option(text: str) -> Callable:
    """`--dims 384,96`: widths that vectors are cut to."""
    return click.option("--dims", callback=lambda _context, _option, value: widths(value), help=text)


def widths(text: str | None, option: str = "--dims") -> tuple[int, ...] | None:
    """`"384,96"` as (384, 96). Raises CallError for anything but positive whole numbers."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and int(part) for part in parts):
        raise CallError(f"{option} {text!r}: expected whole numbers of 1 or more, like 384,96")
    return tuple(int(part) for part in parts)


def note(text: str) -> None:
    """A line for people, on stderr."""
    click.echo(text, err=True)


def answer(result: dict, as_json: bool, lines: Sequence[str]) -> None:
    """The verb's result: one JSON object, or lines for people, on stdout."""
    click.echo(json.dumps(result, ensure_ascii=False) if as_json else "\n".join(lines))


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
