"""Options that several verbs share."""

from collections.abc import Callable

import click

from mlx_metaembed.cli.number_range import NumberRange
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
max_characters_option = click.option(
    "--max-characters", type=click.IntRange(1), default=100_000, show_default=True, help="Longest text allowed."
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


def cache_options(command: Callable) -> Callable:
    """`--cache` and `--cache-hours`: where vectors of texts are kept, and for how long."""
    command = click.option(
        "--cache-hours",
        type=NumberRange(0, min_open=True),
        help="How long the cache keeps a vector.  [default: 48]",
    )(command)
    return click.option(
        "--cache",
        metavar="FILE|redis://...",
        help="Keep the texts' vectors there, and look there first: an SQLite file, or a Redis server.",
    )(command)


def dims_option(text: str) -> Callable:
    """`--dims 384,96`: widths that vectors are cut to."""
    return click.option("--dims", callback=lambda _context, _option, value: widths(value), help=text)


codes_option = click.option(
    "--codes",
    multiple=True,
    metavar="NAME",
    callback=lambda _context, _option, value: named(value),
    help="Also as a code: int8, binary, binary-hamming, a code head of the model, or a code that was fitted to it "
    "(metaembed codes fit). Repeat it, or separate by commas.",
)


bootstrap_option = click.option(
    "--bootstrap",
    "draws",
    type=click.IntRange(0),
    default=1_000,
    show_default=True,
    help="Draws from which 95 % intervals are taken; 0 for none.",
)


def named(values: tuple[str, ...]) -> tuple[str, ...]:
    """`("int8,binary", "fsq")` as the names, each once."""
    return tuple(dict.fromkeys(part.strip() for value in values for part in value.split(",")))


LIKE = {"--k": "1,10,100"}
"""What options of whole numbers are like, but for widths."""


def widths(text: str | None, option: str = "--dims") -> tuple[int, ...] | None:
    """`"384,96"` as (384, 96). Raises CallError for anything but positive whole numbers."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and int(part) for part in parts):
        raise CallError(f"{option} {text!r}: expected whole numbers of 1 or more, like {LIKE.get(option, '384,96')}")
    return tuple(int(part) for part in parts)


def task_options(command: Callable) -> Callable:
    """What rows are measured as, where ranked lists are cut, and what is drawn."""
    options = (
        click.option("--task", metavar="NAME", help="What the data is for. Default: as its columns say."),
        click.option(
            "--k",
            "ks",
            default="10",
            show_default=True,
            callback=lambda _context, _option, value: tuple(dict.fromkeys(widths(value, "--k"))),
            help="Where ranked lists are cut, like 1,10,100.",
        ),
        click.option(
            "--ignore-identical-ids/--keep-identical-ids",
            default=True,
            show_default=True,
            help="Leave a text of the corpus out of the ranking of the query that has its id, as BEIR does.",
        ),
        bootstrap_option,
        click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is drawn."),
    )
    for option in reversed(options):
        command = option(command)
    return command
