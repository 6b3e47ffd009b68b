"""A scheme's folder as the verbs open it, with its model where one is needed."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mlx_metaembed.embedder import Embedder
    from mlx_metaembed.semantic_ids.files import Ids

ids_argument = click.argument("ids", type=click.Path(path_type=Path))
count_option = click.option(
    "-k", "--count", "k", type=click.IntRange(1), default=10, show_default=True, help="How many."
)


def opened(path: Path) -> "Ids":
    """The scheme of a folder. Raises CallError where it is none."""
    from mlx_metaembed.semantic_ids import files

    return files.load(path)


def with_model(path: Path, model: str | None, engine: str) -> "tuple[Ids, Embedder]":
    """The scheme and its model, loaded. Raises CallError where the model is another one."""
    from mlx_metaembed import embedder
    from mlx_metaembed.search import fingerprint
    from mlx_metaembed.semantic_ids import files

    found = files.load(path)
    name, length = model or found.about["model"]["name"], found.about["model"].get("max_seq_length")
    loaded = embedder.load(name, engine=engine, max_seq_length=length)
    files.require_model(found, fingerprint.of(loaded.folder), path, name)
    return found, loaded
