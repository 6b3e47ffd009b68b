"""`metaembed ids decode`: the texts that an ID stands for."""

from pathlib import Path

import click

from mlx_metaembed.cli.ids.opened import count_option, ids_argument, opened
from mlx_metaembed.cli.options import json_option
from mlx_metaembed.cli.output import answer

EPILOG = """\b
Examples:
  metaembed ids decode novels.ids 3.1.12.40 -k 5
  metaembed ids decode novels.ids 3.1
"""


@click.command("decode", epilog=EPILOG)
@ids_argument
@click.argument("wanted", metavar="ID")
@count_option
@json_option
def command(ids: Path, wanted: str, k: int, as_json: bool) -> None:
    """The texts of the corpus that have ID, then those nearest to what it stands for. Fewer digits are a prefix."""
    from mlx_metaembed.semantic_ids import walk
    from mlx_metaembed.semantic_ids.scheme import spelled

    found = opened(ids)
    rows = walk.texts(found, found.scheme.parse(wanted, prefix=True), k)
    rows = [row | {"id": spelled(row["id"])} for row in rows]
    lines = [f"{'=' if row['exact'] else ' '} {row['id']}  {row['score']:.3f}  {row['text'][:100]}" for row in rows]
    answer({"ids": str(ids), "id": wanted, "rows": rows}, as_json, lines)
