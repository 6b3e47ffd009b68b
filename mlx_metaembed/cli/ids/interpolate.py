"""`metaembed ids interpolate`: a walk between two IDs."""

from pathlib import Path

import click

from mlx_metaembed.cli.ids.opened import ids_argument, opened
from mlx_metaembed.cli.options import json_option
from mlx_metaembed.cli.output import answer

EPILOG = """\b
Example:
  metaembed ids interpolate novels.ids 3.1.12.40 0.4.7.2 --steps 6
"""


@click.command("interpolate", epilog=EPILOG)
@ids_argument
@click.argument("first")
@click.argument("last")
@click.option("--steps", type=click.IntRange(0), default=5, show_default=True, help="Points between both ends.")
@json_option
def command(ids: Path, first: str, last: str, steps: int, as_json: bool) -> None:
    """Walk from the ID FIRST to LAST: at each point the used ID nearest to the straight line between them."""
    from mlx_metaembed.semantic_ids import walk
    from mlx_metaembed.semantic_ids.scheme import spelled

    found = opened(ids)
    ends = [found.scheme.parse(each) for each in (first, last)]
    rows = [row | {"id": spelled(row["id"])} for row in walk.interpolate(found, *ends, steps)]
    lines = [f"{row['at']:4.0%}  {row['id']}  {row['texts']:,} texts  {row['text'][:90]}" for row in rows]
    answer({"ids": str(ids), "rows": rows}, as_json, lines)
