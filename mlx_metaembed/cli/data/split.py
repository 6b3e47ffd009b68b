"""`metaembed data split`: a part of a file's rows held out, with no text in both parts."""

from dataclasses import asdict
from pathlib import Path

import click

from mlx_metaembed.cli.data.progress import counting
from mlx_metaembed.cli.number_range import NumberRange
from mlx_metaembed.cli.options import columns_options, json_option
from mlx_metaembed.cli.output import answer, notes
from mlx_metaembed.errors import CallError
from mlx_metaembed.progress.display import Progress

EPILOG = """\b
Examples:
  metaembed data split pairs.jsonl train.jsonl held_out.jsonl
  metaembed data split code.jsonl train.jsonl held_out.jsonl --by path --depth 2
  metaembed data split tickets.csv train.jsonl held_out.jsonl --by customer --share 0.2 --seed 1
"""


@click.command("split", epilog=EPILOG)
@click.argument("file")
@click.argument("train", type=click.Path(path_type=Path))
@click.argument("held_out", type=click.Path(path_type=Path))
@click.option(
    "--share",
    type=NumberRange(0, 1, min_open=True, max_open=True),
    default=0.1,
    show_default=True,
    help="The share of the rows that is held out.",
)
@click.option("--by", default="", metavar="COLUMN", help="Rows that have the same here stay together.")
@click.option(
    "--depth",
    type=click.IntRange(1),
    help="COLUMN has paths, and what has the same first so many folders stays together.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Draws what is held out.")
@columns_options
@json_option
def command(
    file: str,
    train: Path,
    held_out: Path,
    share: float,
    by: str,
    depth: int | None,
    seed: int,
    columns: str,
    no_header: bool,
    as_json: bool,
) -> None:
    """Write FILE's rows into TRAIN.jsonl and HELD_OUT.jsonl, in their order; no text, and no group, is in both.

    Rows that share a text, in any column of texts, go to one part, and what they share others with does too. FILE is
    any source of rows; it is read twice, a row at a time.
    """
    from mlx_metaembed.data.part import part

    if depth and not by:
        raise CallError("--depth cuts the paths of a column; name it, like --by path")
    with Progress(None, "rows") as bar:
        parted = part(
            file,
            train,
            held_out,
            share=share,
            by=by,
            depth=depth,
            seed=seed,
            mapped=columns,
            no_header=no_header,
            told=counting(bar, "rows read, in two passes"),
        )
    notes(parted.notes)
    found = asdict(parted)
    result = {
        "file": file,
        "train": str(train),
        "held_out": str(held_out),
        "share": share,
        "by": by or None,
        "depth": depth,
    }
    result |= {"seed": seed, "train_rows": found["train"], "held_out_rows": found["held_out"]}
    result |= {name: found[name] for name in ("groups", "largest")}
    lines = [
        f"{train}: {parted.train:,} rows. {held_out}: {parted.held_out:,} rows, "
        f"{parted.held_out / (parted.train + parted.held_out):.1%}.",
        f"Rows hang together in {parted.groups:,} groups, the largest of {parted.largest:,} rows.",
        f"Train on it with: metaembed train --model MODEL --data {train} --eval-data {held_out} --out RUN",
    ]
    answer(result, as_json, lines)
