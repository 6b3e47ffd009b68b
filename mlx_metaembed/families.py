"""Which families of encoders the kit has, by the files that stand in on_mlx/encoders; nothing is imported."""

from pathlib import Path

import mlx_metaembed
from mlx_metaembed.errors import CallError, nearest
from mlx_metaembed.folder import ModelFolder


def supported() -> list[str]:
    """The model types that an encoder is written for, as config.json spells most of them."""
    files = (Path(mlx_metaembed.__file__).parent / "on_mlx" / "encoders").glob("[!_]*.py")
    return sorted(path.stem.replace("_", "-") for path in files)


def require(folder: ModelFolder) -> None:
    """Raise CallError where no encoder is written for the folder's model type."""
    known = supported()
    if folder.model_type.replace("_", "-") not in known:
        close = nearest(folder.model_type, known) or "."
        raise CallError(
            f"{folder.path}: model_type {folder.model_type!r} is not supported{close} Supported: {', '.join(known)}"
        )
