"""Folders whose weights are written anew: changed, or as shards."""

from pathlib import Path

import numpy as np

from mlx_metaembed.files import disk, safetensors


def sharded(path: Path) -> Path:
    """The folder itself, its weights in two shards with their index."""
    arrays = list(safetensors.read(path / "model.safetensors").items())
    (path / "model.safetensors").unlink()
    listed = {}
    for at, part in enumerate((arrays[:9], arrays[9:])):
        safetensors.write(path / f"model-{at}.safetensors", dict(part))
        listed |= {name: f"model-{at}.safetensors" for name, _ in part}
    disk.write_json(path / "model.safetensors.index.json", {"metadata": {"total_size": 1}, "weight_map": listed})
    return path


def with_weights(source: Path, arrays: dict[str, np.ndarray]) -> Path:
    (source / "model.safetensors").unlink(missing_ok=True)
    safetensors.write(source / "model.safetensors", arrays)
    return source
