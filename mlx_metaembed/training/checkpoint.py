"""Checkpoints: whole model folders named checkpoint-<step>, complete or absent, each with checksums of its files.

A checkpoint is written under another name and renamed, so that a half-written one is never picked up. It says which
run wrote it: a run removes its own, and nothing else that has such a name.
"""

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from mlx_metaembed import adapters
from mlx_metaembed import folder as folders
from mlx_metaembed import heads as head_files
from mlx_metaembed import recipe as recipes
from mlx_metaembed.adapters import Adapter
from mlx_metaembed.cards import card
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.files import checksums, disk, safetensors
from mlx_metaembed.folder import ADAPTER, SIDE, ModelFolder, locate, mlm
from mlx_metaembed.folder.module_types import SPLADE
from mlx_metaembed.folder.parameters import TRUNK, under
from mlx_metaembed.heads import Head
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import best as bests
from mlx_metaembed.training import weighting
from mlx_metaembed.training.best import Best
from mlx_metaembed.training.claim import resume_command
from mlx_metaembed.training.loss_scale import LossScale
from mlx_metaembed.training.mined_negatives import MinedNegatives

CHECKSUMS, STATE, METRICS = f"{SIDE}/checksums.json", f"{SIDE}/state.safetensors", f"{SIDE}/metrics.jsonl"


@dataclass(frozen=True)
class Position:
    """Where a run stands: steps done, the key of its data, and float16's loss scale."""

    step: int
    data: str
    scale: LossScale


@dataclass(frozen=True)
class Snapshot:
    """What a checkpoint is made of. `folder` is the model as it was read, and gives what did not train; `masters` are
    what did and `state` the optimizer's, as an engine saves them; `best` names the checkpoint of the best step.
    """

    folder: ModelFolder
    recipe: Recipe
    adapter: Adapter | None
    heads: Mapping[str, Head]
    position: Position
    masters: Mapping[str, np.ndarray]
    state: Mapping[str, np.ndarray]
    readme: str
    negatives: MinedNegatives
    best: Best | None = None


def save(out: Path, run: str, snapshot: Snapshot) -> Path:
    """The folder checkpoint-<step>, written into the folder of the run with this id; the oldest ones then go.

    The best step's stays beside the limit, until a newer one names another. Where something else has the folder's
    name, it stays, and the run's id follows the step. JobError where the disk is full.
    """
    step, limit = snapshot.position.step, snapshot.recipe.save_total_limit
    path = held(out, run).get(step)
    if path is None:
        # The limit may be lower than it was, because the disk is full.
        _prune(out, run, limit)
        path = out / f"checkpoint-{step}"
        path = path.with_name(f"{path.name}-{run}") if path.exists() or path.is_symlink() else path
        with disk.replacing(path) as partial:
            _write(partial, snapshot)
            if snapshot.best:
                bests.write(partial, snapshot.best)
            if (out / METRICS).is_file():
                shutil.copyfile(out / METRICS, partial / METRICS)
            checksums.write(partial, partial / CHECKSUMS, {"run": run, "step": step})
    _prune(out, run, limit)
    return path


def newest(out: Path, run: str) -> Path | None:
    """The newest checkpoint of the run with this id.

    Raises CallError where it is damaged, and offers the one before.
    """
    own = sorted([*_own(out, run), *_doubtful(out, run)], key=lambda each: each[1])
    if not own:
        return None
    path = own[-1][0]
    if wrong := checksums.damage(path, path / CHECKSUMS):
        whole = [each for each, _ in own[:-1] if not checksums.damage(each, each / CHECKSUMS)]
        if whole:
            later = [each for each, _ in own if each not in whole]
            removed = shlex.join(["rm", "-r", *(str(each) for each in later)])
            advice = f"{whole[-1]} is whole. To go on from there: {removed} && {resume_command(out)}"
        else:
            advice = "There is no other whole checkpoint of this run; start it anew with another --out."
        raise faults(f"{path} is damaged:", wrong, advice)
    return path


def held(out: Path, run: str) -> dict[int, Path]:
    """The checkpoints of the run with this id, by step."""
    return {step: path for path, step in _own(out, run)}


def is_whole(out: Path, run: str, name: str) -> bool:
    """Whether a checkpoint of the run with this id is there. Raises CallError where it, or the newest, is damaged."""
    if out / name not in held(out, run).values():
        return False
    newest(out, run)
    if wrong := checksums.damage(out / name, out / name / CHECKSUMS):
        raise faults(f"{out / name} is damaged:", wrong, f"To go on without it: rm -r {shlex.quote(str(out / name))}")
    return True


def remove(out: Path, run: str) -> None:
    """Remove every checkpoint of the run with this id."""
    for path, _ in _own(out, run):
        disk.remove(path)


def strangers(out: Path, run: str) -> list[Path]:
    """What has a checkpoint's name and is not of the run with this id."""
    own = [path for path, _ in _own(out, run)]
    return sorted(path for path in out.glob("checkpoint-*") if path not in own)


def read_position(path: Path) -> Position:
    """Where the run of a checkpoint stands. Raises CallError where its state does not say."""
    said = safetensors.metadata(path / STATE)
    try:
        scale = json.loads(said["loss_scale"])
        return Position(int(said["step"]), said["data"], LossScale(**scale))
    except (KeyError, TypeError, ValueError, RecursionError):
        raise CallError(f"{path / STATE} does not say at which step it was written; it is damaged") from None


def read_state(path: Path) -> dict[str, np.ndarray]:
    """The optimizer's state of a checkpoint, `<parameter>.<number>`."""
    return weighting.apart(safetensors.read(path / STATE))[1]


def _prune(out: Path, run: str, limit: int) -> None:
    """Remove the oldest checkpoints of the run with this id, past a limit, but for the best that the newest names."""
    own = _own(out, run)
    best = bests.named(own[-1][0]) if own else None
    for older, step in own[:-limit]:
        if step != best:
            disk.remove(older)


def _own(out: Path, run: str) -> list[tuple[Path, int]]:
    """The checkpoints that the run with this id wrote, with their steps, oldest first.

    A copy under another name, or another run's, is none: the name, the step and the id must agree.
    """
    found = [(path, step) for path, step in _named(out, run) if _listed(path) == (run, step)]
    return sorted(found, key=lambda each: each[1])


def _doubtful(out: Path, run: str) -> list[tuple[Path, int]]:
    """Checkpoints, with their steps, whose checksums can't say any more which run wrote them."""
    return [(path, step) for path, step in _named(out, run) if _listed(path) is None and _stated(path) == step]


def _named(out: Path, run: str) -> Iterator[tuple[Path, int]]:
    """The folders that have a checkpoint's name, with the step in it."""
    for path in out.glob("checkpoint-*"):
        name = re.fullmatch(rf"checkpoint-(0|[1-9]\d*)(?:-{re.escape(run)})?", path.name, re.ASCII)
        if name and path.is_dir() and not path.is_symlink():
            yield path, int(name[1])


def _listed(path: Path) -> tuple[str, object] | None:
    """The run and the step that a checkpoint's checksums name; None where they name none."""
    try:
        found = disk.optional_json(path / CHECKSUMS)
    except CallError:
        return None
    return (found["run"], found.get("step")) if isinstance(found.get("run"), str) else None


def _stated(path: Path) -> int | None:
    """The step that a checkpoint's state names."""
    try:
        return int(safetensors.metadata(path / STATE)["step"])
    except (CallError, OSError, KeyError, TypeError, ValueError):
        return None


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
    return path if path.startswith(".") else f".{os.sep}{path}"


def _write(partial: Path, snapshot: Snapshot) -> None:
    folder, recipe = snapshot.folder, snapshot.recipe
    config = {name: value for name, value in folder.config.items() if name not in ("dtype", "torch_dtype")}
    folders.write(replace(folder, config=config | {"dtype": "float32"}), partial)
    folders.copy_tokenizer(folder.trunk_path, partial)
    _write_trunk(partial, snapshot)
    for module in folder.dense:
        arrays = under(snapshot.masters, f"dense.{module.path}.")
        safetensors.write(partial / module.path / "model.safetensors", arrays)
    _write_heads(partial, snapshot)
    recipes.write(recipe, partial / SIDE / "recipe.toml")
    card.copy_license_and_readme(folder, partial)
    (partial / card.README).write_text(snapshot.readme, encoding="utf-8")
    said = {
        "step": str(snapshot.position.step),
        "data": snapshot.position.data,
        "loss_scale": json.dumps(asdict(snapshot.position.scale)),
    }
    learned, _ = weighting.apart(snapshot.masters)
    safetensors.write(partial / STATE, {**snapshot.state, **learned}, metadata=said)
    snapshot.negatives.write(partial)


def _write_trunk(partial: Path, snapshot: Snapshot) -> None:
    """The trunk's weights, or the adapter alone."""
    folder, trained = snapshot.folder, under(snapshot.masters, TRUNK)
    # A masked-language-model head lies with the trunk, under the names that other tools read.
    words = mlm.spelled(folder.config, under(snapshot.masters, f"heads.{SPLADE}."))
    if snapshot.adapter:
        adapters.write(adapters.with_arrays(snapshot.adapter, trained), base_name(snapshot.recipe), partial)
        # With a config.json beside the adapter, transformers takes the folder for a whole model.
        (partial / "config.json").unlink()
    else:
        # What was frozen and what other tools want is taken over as it was.
        safetensors.write(
            partial / "model.safetensors",
            mlm.as_task_model(folder.config, folder.trunk() | folder.carried() | trained | words),
            dtype=None if folder.quantization else "float32",
        )


def _write_heads(partial: Path, snapshot: Snapshot) -> None:
    """The heads beside the trunk; those that no objective names stay as they were."""
    others, arrays = head_files.read(snapshot.folder)
    listed = {name: head for name, head in snapshot.heads.items() if name != SPLADE}
    trained = under(snapshot.masters, "heads.")
    stored = {name: array for name, array in trained.items() if not name.startswith(f"{SPLADE}.")}
    head_files.write(others | listed, arrays | stored, partial)
