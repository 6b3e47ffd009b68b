"""Checkpoints: whole model folders named checkpoint-<step>, complete or absent, and what a finished run leaves.

A checkpoint is written under another name and renamed, so that a half-written one is never picked up. At the end its
files are linked into the run's folder, `modules.json` last, and the checkpoint goes.
"""

import json
import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from mlx_metaembed import adapters, card, disk, locate, mlm, weights
from mlx_metaembed import folder as folders
from mlx_metaembed import heads as head_files
from mlx_metaembed import recipe as recipes
from mlx_metaembed.adapters import Adapter
from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import ADAPTER, SIDE, ModelFolder
from mlx_metaembed.heads import Head
from mlx_metaembed.parameters import TRUNK, under
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.train.lossscale import LossScale

LAST = "modules.json"


@dataclass(frozen=True)
class Position:
    """Where a run stands: steps done, the key of its data, and float16's loss scale."""

    step: int
    data: str
    scale: LossScale


def save(
    out: Path,
    folder: ModelFolder,
    recipe: Recipe,
    adapter: Adapter | None,
    heads: Mapping[str, Head],
    position: Position,
    masters: Mapping[str, np.ndarray],
    state: Mapping[str, np.ndarray],
    readme: str,
) -> Path:
    """Write checkpoint-<step> into the run's folder, then remove the older ones. JobError where the disk is full."""
    path = out / f"checkpoint-{position.step}"
    if not path.is_dir():
        with disk.replacing(path) as partial:
            _write(partial, folder, recipe, adapter, heads, position, masters, state, readme)
            metrics = out / SIDE / "metrics.jsonl"
            if metrics.is_file():
                shutil.copyfile(metrics, partial / SIDE / "metrics.jsonl")
    for older in out.glob("checkpoint-*"):
        if older != path:
            shutil.rmtree(older)
    return path


def read_position(path: Path) -> Position:
    """Where the run of a checkpoint, or of a finished folder, stands."""
    said = weights.metadata(path / SIDE / "state.safetensors")
    return Position(int(said["step"]), said["data"], LossScale(**json.loads(said["loss_scale"])))


def read_state(path: Path) -> dict[str, np.ndarray]:
    """The optimizer's state of a checkpoint, `<parameter>.<number>`."""
    return weights.read(path / SIDE / "state.safetensors")


def finish(out: Path, checkpoint: Path) -> None:
    """Make the run's folder the model folder of its last checkpoint. Interrupted, it can be called again."""
    files = [path.relative_to(checkpoint) for path in checkpoint.rglob("*") if path.is_file()]
    for directory in (path for path in checkpoint.rglob("*") if path.is_dir()):
        (out / directory.relative_to(checkpoint)).mkdir(parents=True, exist_ok=True)
    for name in sorted(files, key=lambda name: name.name == LAST):
        temporary = out / f"{name}.partial"
        temporary.unlink(missing_ok=True)
        try:
            os.link(checkpoint / name, temporary)
        except OSError:
            shutil.copyfile(checkpoint / name, temporary)
        temporary.replace(out / name)
    shutil.rmtree(checkpoint)


def require_free(out: Path) -> None:
    """Raise CallError where a folder holds an unfinished run or anything else."""
    if unfinished(out):
        raise CallError(
            f"{out} holds an unfinished run. Continue it with: metaembed train --resume --out {shlex.quote(str(out))}; "
            "or choose a new --out"
        )
    disk.require_vacant(out)


def claim(out: Path, recipe: Recipe) -> None:
    """Say in the run's folder what runs there, and remove what a killed process left half-written."""
    for left in (*out.glob(".*.partial-*"), *out.glob("tokens-*.partial-*")):
        shutil.rmtree(left, ignore_errors=True)
    recipes.write(recipe, out / SIDE / "recipe.toml")


def settings(out: Path) -> dict:
    """The settings of the run in a folder. Raises CallError where there is none."""
    if not (out / SIDE / "recipe.toml").is_file():
        raise CallError(f"{out} holds no run; there is nothing to resume. Start one without --resume")
    return recipes.read(out / SIDE / "recipe.toml")


def unfinished(out: Path) -> bool:
    """Whether a folder holds a run that was begun and has not finished."""
    return (out / SIDE / "recipe.toml").is_file() and not (out / LAST).is_file()


def base_name(recipe: Recipe) -> str:
    """What an adapter calls its base: a folder by its path from the run's, a hub id or an installed encoder by name.

    Of an adapter that is trained on, its own base.
    """
    named, found = recipe.model, locate.resolve(recipe.model, weights=False)
    if (found / ADAPTER).is_file():
        named = folders.base_name(found)
        found = locate.resolve(named, weights=False)
    if not Path(named).expanduser().is_dir():
        return named
    path = os.path.relpath(found.resolve(), Path(recipe.out).resolve())
    return path if path.startswith(".") else os.path.join(".", path)  # noqa: PTH118 - pathlib drops the dot


def _write(
    partial: Path,
    folder: ModelFolder,
    recipe: Recipe,
    adapter: Adapter | None,
    heads: Mapping[str, Head],
    position: Position,
    masters: Mapping[str, np.ndarray],
    state: Mapping[str, np.ndarray],
    readme: str,
) -> None:
    config = {name: value for name, value in folder.config.items() if name not in ("dtype", "torch_dtype")}
    folders.write(replace(folder, config=config | {"dtype": "float32"}), partial)
    folders.copy_tokenizer(folder.trunk_path, partial)
    trained = under(masters, TRUNK)
    if adapter:
        adapters.write(adapters.with_arrays(adapter, trained), base_name(recipe), partial)
        # With a config.json beside the adapter, transformers takes the folder for a whole model.
        (partial / "config.json").unlink()
    else:
        # What was frozen and what other tools want is taken over as it was.
        weights.write(
            partial / "model.safetensors",
            mlm.as_task_model(folder.config, folder.trunk() | folder.carried() | trained),
            dtype=None if folder.quantization else "float32",
        )
    for module in folder.dense:
        weights.write(partial / module.path / "model.safetensors", under(masters, f"dense.{module.path}."))
    # Heads on token states are not trained here; they stay as they were.
    others, arrays = head_files.read(folder)
    head_files.write(others | dict(heads), arrays | under(masters, "heads."), partial)
    recipes.write(recipe, partial / SIDE / "recipe.toml")
    card.papers(folder, partial)
    (partial / card.README).write_text(readme, encoding="utf-8")
    said = {"step": str(position.step), "data": position.data, "loss_scale": json.dumps(asdict(position.scale))}
    weights.write(partial / SIDE / "state.safetensors", state, metadata=said)
