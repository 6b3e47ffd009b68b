"""Which families of encoders the kit has, by the files that stand in on_mlx/encoders; nothing is imported."""

from pathlib import Path
from typing import TYPE_CHECKING

import mlx_metaembed
from mlx_metaembed.errors import CallError, nearest

if TYPE_CHECKING:
    from mlx_metaembed.folder import ModelFolder


def supported() -> list[str]:
    """The model types that an encoder is written for, as config.json spells most of them."""
    files = (Path(mlx_metaembed.__file__).parent / "on_mlx" / "encoders").glob("[!_]*.py")
    return sorted(path.stem.replace("_", "-") for path in files)


def require(folder: "ModelFolder") -> None:
    """Raise CallError where no encoder is written for the folder's model type."""
    if folder.model_type.replace("_", "-") not in supported():
        raise unknown(folder)


def unknown(folder: "ModelFolder") -> CallError:
    """The error for a model type that an engine does not have, with those that the kit has on both."""
    known = supported()
    close = nearest(folder.model_type, known) or "."
    return CallError(
        f"{folder.path}: model_type {folder.model_type!r} is not supported{close} Supported: {', '.join(known)}. "
        "To ask for another, open an issue with the model's id and its config.json"
    )
