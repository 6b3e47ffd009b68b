"""Golden folders with a changed configuration or changed weights, for what one stored folder a family can't show."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from states import GOLDEN

from mlx_metaembed.files import disk, safetensors


def altered(
    out: Path,
    family: str,
    config: Mapping | None = None,
    change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]] | None = None,
) -> Path:
    """A copy of a golden folder as `out`: keys of config.json replaced (`...` takes one out), weights changed."""
    shutil.copytree(GOLDEN / family, out)
    found = disk.read_json(out / "config.json") | dict(config or {})
    disk.write_json(out / "config.json", {key: value for key, value in found.items() if value is not ...})
    if change:
        safetensors.write(out / "model.safetensors", change(safetensors.read(out / "model.safetensors")))
    return out
