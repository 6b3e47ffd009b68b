"""A small run's recipe, a stop in its midst, and what it leaves."""

import json
from pathlib import Path

import numpy as np

from mlx_metaembed import adapters
from mlx_metaembed.files import safetensors
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import Callbacks


def recipe(tiny: Path, pairs: Path, out: Path, **settings) -> Recipe:
    common = {
        "batch_size": 8,
        "epochs": 2,
        "learning_rate": 1e-3,
        "matryoshka": (32, 8),
        "fsq": "4x8",
        "chunk_tokens": 64,
        "save_every": 4,
        "engine": "mlx",
    }
    return Recipe(model=str(tiny), data=str(pairs), out=str(out), **common | settings)


def metrics(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "metaembed" / "metrics.jsonl").read_text().splitlines()]


def final(out: Path) -> dict[str, np.ndarray]:
    """Trunk, heads and optimizer of a finished run."""
    side = out / "metaembed"
    files = (out / "model.safetensors", side / "heads.safetensors", side / "state.safetensors")
    return {
        f"{path.name}:{name}": array
        for path in files
        if path.is_file()
        for name, array in safetensors.read(path).items()
    }


def stop_after(step: int) -> Callbacks:
    """Stop as Ctrl-C would, once the step is done."""
    seen: list[int] = []
    return Callbacks(step=lambda row: seen.append(row["step"]), stopped=lambda: step in seen)


def weights_of(out: Path) -> dict[str, np.ndarray]:
    """What a finished run left: trunk, heads, Dense modules, adapter, and the optimizer's state."""
    others = [*out.glob("*_Dense/model.safetensors"), *out.glob(adapters.FILE)]
    return final(out) | {
        f"{path.relative_to(out)}:{name}": array for path in others for name, array in safetensors.read(path).items()
    }
