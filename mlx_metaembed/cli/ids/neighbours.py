"""`metaembed ids neighbours`: the used IDs nearest to an ID."""

from pathlib import Path

import click

from mlx_metaembed.cli.ids.opened import count_option, ids_argument, opened
from mlx_metaembed.cli.options import json_option
from mlx_metaembed.cli.output import answer

EPILOG = """\b
Example:
  metaembed ids neighbours novels.ids 3.1.12.40 -k 5
"""


@click.command("neighbours", epilog=EPILOG)
@ids_argument
@click.argument("wanted", metavar="ID")
@count_option
@json_option
def command(ids: Path, wanted: str, k: int, as_json: bool) -> None:
    """The IDs that some text has and that stand for what is nearest to ID, each with a text."""
    from mlx_metaembed.semantic_ids import walk
    from mlx_metaembed.semantic_ids.scheme import spelled

    found = opened(ids)
    rows = walk.neighbours(found, found.scheme.parse(wanted), k)
    rows = [row | {"id": spelled(row["id"])} for row in rows]
    lines = [f"{row['id']}  {row['score']:.3f}  {row['texts']:,} texts  {row['text'][:90]}" for row in rows]
    answer({"ids": str(ids), "id": wanted, "rows": rows}, as_json, lines)
