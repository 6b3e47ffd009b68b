"""A run's parts, made in the order in which they can be refused: nothing is written before all of them fit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed import batches, data, locate
from mlx_metaembed import folder as folders
from mlx_metaembed import heads as head_files
from mlx_metaembed import recipe as recipes
from mlx_metaembed.data.rows import Pairs, Retrieval, require_trainable
from mlx_metaembed.engine import Engine, automatic_dtype, choose
from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import SIDE, ModelFolder
from mlx_metaembed.heads import Fsq, Head
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.tokens import Tokenizer
from mlx_metaembed.train import checkpoint, rows
from mlx_metaembed.train.checkpoint import Position
from mlx_metaembed.train.lossscale import LossScale
from mlx_metaembed.train.plan import Plan, plan
from mlx_metaembed.train.rows import Rows

CODES = "codes"
"""The name of the head that `fsq` trains."""


@dataclass(frozen=True)
class Parts:
    """What the loop runs on; `start` is the checkpoint that it goes on from."""

    recipe: Recipe
    out: Path
    folder: ModelFolder
    engine: Engine
    dtype: str
    heads: Mapping[str, Head]
    plan: Plan
    rows: Rows
    pad_id: int
    position: Position
    start: Path | None
    steps: int


def prepare(recipe: Recipe, *, resume: bool, note: Callable[[str], None]) -> Parts:
    """Read, check and load everything a run needs; then claim its folder and tokenise into it.

    Raises CallError for whatever does not fit.
    """
    out = _checked(recipe, resume)
    start = checkpoint.newest(out) if resume else None
    folder = folders.read(start or locate.resolve(recipe.model))
    if folder.quantization:
        raise CallError(
            f"{folder.path} is quantized to {folder.quantization['bits']} bits, and such weights take no gradient. "
            f"Train the model that it was exported from, or make plain weights: metaembed convert {folder.path} OUT"
        )
    tokenizer = Tokenizer(folder, recipe.max_seq_length)
    if any(width > folder.dimensions for width in recipe.matryoshka):
        raise CallError(
            f"matryoshka = {list(recipe.matryoshka)}, but the model's vectors have {folder.dimensions} features"
        )
    pairs = _pairs(recipe)
    engine = choose(recipe.engine)
    note(f"engine: {engine.name} on {engine.device} ({engine.reason})")
    dtype, why = automatic_dtype(engine.device) if recipe.dtype == "auto" else (recipe.dtype, "asked for")
    note(f"dtype: {dtype} ({why})")
    planned = plan(
        folder,
        memory_bytes=recipe.memory_bytes,
        dtype=dtype,
        max_seq_length=tokenizer.max_seq_length,
        chunk_tokens=recipe.chunk_tokens,
    )
    heads, arrays = _heads(recipe, folder)
    engine.memory(limit=recipe.memory_bytes, reset=True)
    engine.load(folder, dtype=dtype, heads=heads, arrays=arrays, dropout=recipe.dropout, train=True)
    recipes.write(recipe, out / SIDE / "recipe.toml")
    numbered = rows.number(pairs, folder, tokenizer, out)
    position = Position(0, numbered.key, LossScale.of(dtype))
    if start:
        position = checkpoint.read_position(start)
        if position.data != numbered.key:
            raise CallError(
                f"{recipe.data} or the tokenizer has changed since {start} was written; "
                "resume with the same data, or start a new run"
            )
        engine.restore(checkpoint.read_state(start))
    return Parts(
        recipe=recipe,
        out=out,
        folder=folder,
        engine=engine,
        dtype=dtype,
        heads=heads,
        plan=planned,
        rows=numbered,
        pad_id=tokenizer.pad_id,
        position=position,
        start=start,
        steps=_steps(recipe, len(numbered.columns)),
    )


def _checked(recipe: Recipe, resume: bool) -> Path:
    """The run's folder, which must be free, or with `resume` hold an unfinished run."""
    for name in ("model", "data", "out"):
        if not getattr(recipe, name):
            raise CallError(f'The recipe has no {name}; give --{name}, or {name} = "..." in the TOML file')
    out = Path(recipe.out)
    if not resume:
        checkpoint.require_free(out)
    elif not checkpoint.unfinished(out):
        what = "a finished run" if (out / SIDE / "recipe.toml").is_file() else "no run"
        raise CallError(f"{out} holds {what}; there is nothing to resume. Start one without --resume")
    return out


def _pairs(recipe: Recipe) -> Pairs:
    found = data.read(recipe.data, max_characters=recipe.max_characters)
    pairs = found.pairs() if isinstance(found, Retrieval) else found
    if not isinstance(pairs, Pairs):
        raise CallError(
            f"{recipe.data} holds {type(found).__name__.lower()} texts; {recipe.loss} trains on pairs or triplets "
            "(columns anchor, positive, negative)"
        )
    require_trainable(pairs, recipe.data)
    if recipe.loss == "triplet" and not any(pairs.negatives):
        raise CallError(f"{recipe.data} has no negative column, and the triplet loss needs one; or use --loss info_nce")
    return pairs


def _heads(recipe: Recipe, folder: ModelFolder) -> tuple[dict[str, Head], dict[str, np.ndarray]]:
    """The folder's heads, and the code head of the recipe, new where the folder has none of these levels."""
    heads, arrays = head_files.read(folder)
    wanted = Fsq(folder.dimensions, recipe.fsq_levels) if recipe.fsq else None
    if wanted and heads.get(CODES) != wanted:
        heads[CODES] = wanted
        arrays = {name: array for name, array in arrays.items() if not name.startswith(f"{CODES}.")}
        arrays |= {f"{CODES}.{name}": array for name, array in wanted.initial(recipe.seed).items()}
    return heads, arrays


def _steps(recipe: Recipe, count: int) -> int:
    if recipe.iters:
        return recipe.iters
    return max(batches.steps_per_epoch(count, recipe.batch_size) * recipe.epochs // recipe.grad_accumulation_steps, 1)
