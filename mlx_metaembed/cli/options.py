"""Options that several verbs share."""

from collections.abc import Callable

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


def columns_options(command: Callable) -> Callable:
    """`--columns` and `--no-header`: how rows are read that have other names, or none."""
    command = click.option(
        "--no-header", is_flag=True, help="A .csv or .tsv has no header: its columns are told by position."
    )(command)
    return click.option(
        "--columns",
        default="",
        metavar="NAME=COLUMN,...",
        help="What the data calls a column: anchor=title,positive=source. Nothing after = leaves a column out.",
    )(command)


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
