"""A run's parts, made in the order in which they can be refused: nothing is written before all of them fit."""

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from mlx_metaembed import batches, data, footprint, locate
from mlx_metaembed import folder as folders
from mlx_metaembed.adapters import Adapter
from mlx_metaembed.batches import Columns
from mlx_metaembed.data.rows import Pairs, require_trainable
from mlx_metaembed.engine import Engine, automatic_dtype, choose
from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.heads import Head
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.tokens import Store, Tokenizer
from mlx_metaembed.train import checkpoint, defaults, learning, pooled
from mlx_metaembed.train.checkpoint import Position
from mlx_metaembed.train.lossscale import LossScale
from mlx_metaembed.train.numbered import number
from mlx_metaembed.train.plan import Job, Plan, Target, fitting
from mlx_metaembed.train.plan.choices import CHANGED

FREE_ON_RESUME = {"out", "engine", "memory", "save_every", "steps_per_report", "chunk_tokens", "checkpointing"}
"""Settings that may differ when a run is resumed: they do not change the weights beyond the engines' tolerance."""


@dataclass(frozen=True)
class Parts:
    """What the loop runs on. `start` is the checkpoint that it goes on from; `vectors` are the texts' own, pooled,
    where the trunk is frozen whole.
    """

    recipe: Recipe
    out: Path
    folder: ModelFolder
    engine: Engine
    dtype: str
    adapter: Adapter | None
    heads: Mapping[str, Head]
    plan: Plan
    columns: Columns
    store: Store
    vectors: np.ndarray | None
    pad_id: int
    position: Position
    start: Path | None
    steps: int
    footprint: int
    """Bytes of the process before the model was loaded."""


def prepare(
    recipe: Recipe, *, resume: bool, note: Callable[[str], None], advance: Callable[[str, int, int], None]
) -> Parts:
    """Read, check and load everything a run needs; then claim its folder and tokenise into it.

    Raises CallError for whatever does not fit.
    """
    recipe = _checked(recipe, resume)
    out = Path(recipe.out)
    start = folders.newest_checkpoint(out) if resume else None
    source = folders.read(start or locate.resolve(recipe.model))
    if source.head:
        raise CallError(
            f"{source.path} gives no vector a text, its modules end in the head {source.head!r}, and training is for "
            "one vector a text. Such a vector is what a folder without modules.json gives, by the mean over its tokens"
        )
    tokenizer = Tokenizer(source, recipe.max_seq_length)
    learning.trained(recipe, source)
    behind = learning.behind(recipe, source)
    folder, heads, dimensions = behind.folder, behind.heads, behind.folder.dimensions
    if any(width > dimensions for width in recipe.matryoshka):
        raise CallError(f"matryoshka = {list(recipe.matryoshka)}, but the model's vectors have {dimensions} features")
    pairs = _pairs(recipe)
    given, recipe = recipe, defaults.completed(recipe, len(pairs))
    engine = choose(recipe.engine)
    note(f"engine: {engine.name} on {engine.device} ({engine.reason})")
    dtype, why = automatic_dtype(engine) if recipe.dtype == "auto" else (recipe.dtype, "asked for")
    note(f"dtype: {dtype} ({why})")
    # A resumed run keeps its arithmetic, on whatever device it goes on.
    recipe = replace(recipe, dtype=dtype)
    planned = fitting(
        Job(
            recipe,
            source,
            Target.of(engine.name, engine.device),
            dtype,
            length=tokenizer.max_seq_length,
            columns=2 + pairs.most_negatives,
        ),
        budget=recipe.memory_bytes,
        note=note,
    )
    # What does not change what trains is planned anew where the run goes on.
    recipe = replace(planned.job.recipe, checkpointing=recipe.checkpointing)
    if given.learning_rate is None:
        # What trains may have been changed to fit.
        recipe = replace(recipe, learning_rate=defaults.RATES[recipe.train])
    steps = _steps(recipe, len(pairs))
    for said in (*defaults.choices(replace(given, train=recipe.train), len(pairs)), *defaults.warnings(len(pairs), steps)):
        note(str(said))
    note(f"plan: {planned.words()}")
    if crowded := planned.job.target.crowded(recipe.memory_bytes):
        note(crowded)
    adapter, frozen = learning.trunk(recipe, source)
    arrays = behind.arrays(recipe.seed)
    numbered = number(pairs, folder, tokenizer)
    position = checkpoint.read_position(start) if start else Position(0, numbered.key, LossScale.of(dtype))
    if position.data != numbered.key:
        raise CallError(
            f"{recipe.data} or the tokenizer has changed since {start} was written; "
            "resume with the same data, or start a new run"
        )
    # An engine that an earlier run left lies in a cycle, and would be counted.
    gc.collect()
    engine.memory(limit=recipe.memory_bytes, planned=planned.total, reset=True)
    held = footprint.now()
    store = vectors = None

    def stored() -> Store:
        checkpoint.claim(out, recipe)
        return numbered.store(tokenizer, out, lambda count: advance("tokenising", count, len(numbered.texts)))

    if recipe.train == "heads":
        engine.load(replace(folder, dense=(), normalize=False), dtype=dtype, heads={}, arrays={}, adapter=adapter)
        store = stored()
        vectors = pooled.stored(
            out / f"pooled-{numbered.texts_key}",
            engine,
            store,
            pad_id=tokenizer.pad_id,
            chunk_tokens=planned.chunk_tokens,
            advance=lambda count: advance("embedding", count, len(numbered.texts)),
        )
    engine.load(
        folder,
        dtype=dtype,
        heads=heads,
        arrays=arrays,
        adapter=adapter,
        trunk=vectors is None,
        train=True,
        frozen=frozen,
        dropout=recipe.dropout,
        checkpointing=planned.checkpointing,
    )
    if start:
        engine.restore(checkpoint.read_state(start))
    return Parts(
        recipe=recipe,
        out=out,
        folder=folder,
        engine=engine,
        dtype=dtype,
        adapter=adapter,
        heads=heads,
        plan=planned,
        columns=numbered.columns,
        store=store or stored(),
        vectors=vectors,
        pad_id=tokenizer.pad_id,
        position=position,
        start=start,
        steps=steps,
        footprint=held,
    )


def _checked(recipe: Recipe, resume: bool) -> Recipe:
    """The recipe, whose folder must be free, or with `resume` hold an unfinished run of the same settings."""
    for name in ("model", "data", "out"):
        if not getattr(recipe, name):
            raise CallError(f'The recipe has no {name}; give --{name}, or {name} = "..." in the TOML file')
    out = Path(recipe.out)
    if not resume:
        checkpoint.require_free(out)
        return recipe
    before = Recipe(**checkpoint.settings(out))
    if not checkpoint.unfinished(out):
        raise CallError(f"{out} holds a finished run; there is nothing to resume. Start one without --resume")
    if recipe.dtype == "auto":
        recipe = replace(recipe, dtype=before.dtype)
    left_open = [name for name in defaults.LEFT_OPEN if getattr(recipe, name) is None]
    recipe = replace(recipe, **{name: getattr(before, name) for name in left_open})
    if recipe.fit == "auto":
        recipe = replace(recipe, fit="off", **{name: getattr(before, name) for name in CHANGED})
    # Dropout is drawn chunk by chunk: other chunks would draw other units.
    free = FREE_ON_RESUME - ({"chunk_tokens", "memory"} if before.dropout else set())
    changed = [field.name for field in fields(Recipe) if getattr(recipe, field.name) != getattr(before, field.name)]
    if wrong := [name for name in changed if name not in free]:
        raise CallError(
            f"--resume continues the run as it was begun; {', '.join(wrong)} would change it. "
            f"May change: {', '.join(sorted(free - {'out'}))}"
        )
    return recipe


def _pairs(recipe: Recipe) -> Pairs:
    pairs = require_trainable(data.read(recipe.data, max_characters=recipe.max_characters), recipe.data)
    without = next((row for row, negatives in enumerate(pairs.negatives, start=1) if not negatives), None)
    if recipe.loss == "triplet" and without:
        raise CallError(
            f"{recipe.data}, row {without} has no negative, and the triplet loss needs one in every row; "
            "add it, or use --loss info_nce"
        )
    return pairs


def _steps(recipe: Recipe, count: int) -> int:
    if recipe.iters:
        return recipe.iters
    return max(batches.steps_per_epoch(count, recipe.batch_size) * recipe.epochs // recipe.grad_accumulation_steps, 1)
