"""TensorBoard: the rows of a run as scalars, in metaembed/tensorboard of its folder. Needs no torch, no TensorFlow.

A run that goes on writes another file there; of a step that was done twice TensorBoard has both.
"""

from contextlib import ExitStack
from pathlib import Path

from mlx_metaembed.folder import SIDE
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.callbacks import Callbacks
from mlx_metaembed.training.trackers.rows import numbers, told

FOLDER = f"{SIDE}/tensorboard"


def begin(recipe: Recipe, out: Path, run: str, until: ExitStack) -> Callbacks:
    """Callbacks that write; the file is whole when `until` is closed."""
    from tensorboard.summary import Writer

    writer = Writer(str(out / FOLDER))
    until.callback(writer.close)

    def write(row: dict) -> None:
        for name, value in numbers(row).items():
            writer.add_scalar(name if "/" in name else f"train/{name}", value, row["step"])

    return told(write)
