"""`metaembed ids encode`: texts or images as IDs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlx_metaembed.cli import text_lines
from mlx_metaembed.cli.ids.opened import ids_argument, with_model
from mlx_metaembed.cli.options import engine_option, json_option
from mlx_metaembed.cli.output import answer, note
from mlx_metaembed.errors import CallError
from mlx_metaembed.progress.display import Progress

if TYPE_CHECKING:
    from mlx_metaembed.semantic_ids import Digit

EPILOG = """\b
Examples:
  metaembed ids encode novels.ids "It was the best of times" "Call me Ishmael."
  metaembed ids encode novels.ids --input lines.txt --json
  metaembed ids encode photos.ids --image holiday/*.jpg
"""


@click.command("encode", epilog=EPILOG)
@ids_argument
@click.argument("texts", nargs=-1, metavar="[TEXT...]")
@click.option("--input", "source", help="A file with a text a line, or - for stdin.")
@click.option("--image", "as_images", is_flag=True, help="TEXT are files of images.")
@click.option("--model", help="The model, where it is no longer where it was.")
@engine_option
@json_option
def command(
    ids: Path,
    texts: tuple[str, ...],
    source: str | None,
    as_images: bool,
    model: str | None,
    engine: str,
    as_json: bool,
) -> None:
    """Each TEXT as an ID of the scheme IDS, with the labels of its named digits."""
    from mlx_metaembed.semantic_ids import make
    from mlx_metaembed.semantic_ids.scheme import spelled

    given = list(texts) or (text_lines.read(source) if source else [])
    if (texts and source) or not given or not all(text.strip() for text in given):
        raise CallError("Give TEXT arguments or --input with a text a line, and no empty ones")
    found, loaded = with_model(ids, model, engine)
    note(f"engine: {loaded.engine.name} on {loaded.engine.device} ({loaded.engine.reason})")
    with Progress(len(given), "encoding") as bar:
        vectors = make.vectors(loaded, given, found.about["model"].get("prompt"), as_images, bar.update)
    made = found.scheme.encode(vectors)
    rows = [
        {
            "image" if as_images else "text": text,
            "id": spelled(digits),
            "axes": _labelled(found.scheme.axes, digits),
        }
        for text, digits in zip(given, made, strict=True)
    ]
    lines = [f"{row['id']}  {_axes(row['axes'])}{text[:100]}" for row, text in zip(rows, given, strict=True)]
    answer({"ids": str(ids), "rows": rows}, as_json, lines)


def _labelled(axes: Sequence["Digit"], digits: Sequence[int]) -> dict[str, str | int]:
    """The label of each axis' level by its name, or the level where it has none."""
    return {axis.name: axis.label(level) or int(level) for axis, level in zip(axes, digits, strict=False)}


def _axes(labels: dict[str, object]) -> str:
    return ", ".join(f"{name}: {label}" for name, label in labels.items()) + ("  " if labels else "")
