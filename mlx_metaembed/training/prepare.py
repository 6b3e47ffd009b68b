"""A run's parts, made in the order in which they can be refused: nothing is written before all of them fit."""

import gc
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlx_metaembed import data
from mlx_metaembed import folder as folders
from mlx_metaembed.adapters import Adapter
from mlx_metaembed.data.rows import Pairs, require_trainable
from mlx_metaembed.engine import Engine, automatic_dtype, choose, footprint
from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import ModelFolder, locate
from mlx_metaembed.heads import Head
from mlx_metaembed.inputs.token_store import Store
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import (
    batches,
    best,
    checkpoint,
    claim,
    defaults,
    evaluation,
    model_parts,
    pooled_vectors,
    resumed,
    trackers,
)
from mlx_metaembed.training.batches import Columns
from mlx_metaembed.training.checkpoint import Position
from mlx_metaembed.training.evaluation import Evaluation
from mlx_metaembed.training.lock import Lock
from mlx_metaembed.training.loss_scale import LossScale
from mlx_metaembed.training.plan import Job, Plan, Target, fitting, measured
from mlx_metaembed.training.tokenized_dataset import number


@dataclass(frozen=True)
class Parts:
    """What the loop runs on. `start` is the checkpoint that it goes on from; `vectors` are the texts' own, pooled,
    where the trunk is frozen whole.
    """

    recipe: Recipe
    out: Path
    run: str
    """The run's id, by which it knows its checkpoints."""
    stores: list[str]
    """The folders in `out` that go when the run ends."""
    folder: ModelFolder
    engine: Engine
    dtype: str
    adapter: Adapter | None
    heads: Mapping[str, Head]
    at_head_rate: tuple[str, ...]
    plan: Plan
    columns: Columns
    store: Store
    vectors: np.ndarray | None
    evaluation: Evaluation | None
    pad_id: int
    position: Position
    start: Path | None
    steps: int
    footprint: int
    """Bytes of the process before the model was loaded."""


def prepare(
    recipe: Recipe,
    *,
    resume: bool,
    lock: Lock,
    note: Callable[[str], None],
    advance: Callable[[str, int, int], None],
    until: ExitStack,
) -> Parts:
    """Read, check and load everything a run needs; then claim its folder and tokenise into it.

    `lock` is the folder's, held already where a run is resumed. The engine's limits on memory stay until the stack
    `until` is closed. Raises CallError for whatever does not fit.
    """
    recipe = _checked(recipe, resume, lock)
    out = Path(recipe.out)
    start = resumed.start(out, note) if resume else None
    source = folders.read(start or locate.resolve(recipe.model))
    if source.head:
        raise CallError(
            f"{source.path} gives no vector a text, its modules end in the head {source.head!r}, and training is for "
            "one vector a text. Such a vector is what a folder without modules.json gives, by the mean over its tokens"
        )
    tokenizer = Tokenizer(source, recipe.max_seq_length)
    model_parts.trained(recipe, source)
    behind = model_parts.post_trunk(recipe, source)
    folder, heads, dimensions = behind.folder, behind.heads, behind.folder.dimensions
    if recipe.max_seq_length:
        # What a model was trained with is what its folder declares.
        folder = replace(folder, max_seq_length=recipe.max_seq_length, query_length=None, document_length=None)
    if any(width > dimensions for width in recipe.matryoshka):
        raise CallError(f"matryoshka = {list(recipe.matryoshka)}, but the model's vectors have {dimensions} features")
    pairs = _pairs(recipe, note)
    trackers.require(recipe)
    measured_on = evaluation.read(recipe, pairs, folder, heads, tokenizer, note)
    if start:
        best.require_same(start, measured_on)
    given, recipe = recipe, defaults.completed(recipe, len(pairs))
    engine = choose(recipe.engine)
    note(f"engine: {engine.name} on {engine.device} ({engine.reason})")
    dtype, why = automatic_dtype(engine) if recipe.dtype == "auto" else (recipe.dtype, "asked for")
    note(f"dtype: {dtype} ({why})")
    # A resumed run keeps its arithmetic, on whatever device it goes on.
    recipe = replace(recipe, dtype=dtype)
    if recipe.train == "heads" and given.learning_rate is not None:
        note(
            f"learning_rate = {recipe.learning_rate:g} is the trunk's, which does not train; what does learns at "
            f"head_learning_rate = {recipe.head_learning_rate:g}"
        )
    lengths = measured(pairs, folder, tokenizer)
    planned = fitting(
        Job(
            recipe,
            source,
            Target.of(engine.name, engine.device),
            dtype,
            length=lengths.longest,
            columns=2 + pairs.most_negatives,
            lengths=lengths,
        ),
        budget=recipe.memory_bytes,
        note=note,
    )
    # What does not change what trains is planned anew where the run goes on.
    recipe = replace(planned.job.recipe, checkpointing=recipe.checkpointing)
    if given.learning_rate is None:
        # What trains may have been changed, to fit.
        recipe = replace(recipe, learning_rate=defaults.RATES[recipe.train])
    count = steps(recipe, len(pairs))
    for line in defaults.said(replace(given, train=recipe.train), len(pairs), count):
        note(line)
    note(f"plan: {planned.words()}")
    if crowded := planned.job.target.memory_warning(recipe.memory_bytes):
        note(crowded)
    adapter, frozen = model_parts.trunk(recipe, source)
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
    until.enter_context(engine.limited(recipe.memory_bytes, planned=planned.total))
    engine.memory(reset=True)
    held = footprint.now()
    begun: tuple[str, Store] | None = None
    vectors = None

    def begin() -> tuple[str, Store]:
        run = claim.begin(out, recipe, lock, resume=resume)
        count = len(numbered.texts)
        if measured_on:
            measured_on.begin(out, lambda texts: advance("tokenising eval_data", texts, measured_on.texts), note)
        return run, numbered.store(tokenizer, out, lambda texts: advance("tokenising", texts, count), note)

    if recipe.train == "heads":
        engine.load(replace(folder, dense=(), normalize=False), dtype=dtype, heads={}, arrays={}, adapter=adapter)
        begun = begin()
        vectors = pooled_vectors.stored(
            out / numbered.stores[1],
            engine,
            begun[1],
            pad_id=tokenizer.pad_id,
            chunk_tokens=planned.chunk_tokens,
            advance=lambda count: advance("embedding", count, len(numbered.texts)),
            note=note,
        )
        if measured_on:
            measured_on.pool(
                out, engine, planned.chunk_tokens, lambda n: advance("embedding eval_data", n, measured_on.texts), note
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
    run, store = begun or begin()
    return Parts(
        recipe=recipe,
        out=out,
        run=run,
        stores=numbered.stores + (measured_on.stores if measured_on else []),
        folder=folder,
        engine=engine,
        dtype=dtype,
        adapter=adapter,
        heads=heads,
        at_head_rate=model_parts.at_head_rate(recipe, folder),
        plan=planned,
        columns=numbered.columns,
        store=store,
        vectors=vectors,
        evaluation=measured_on,
        pad_id=tokenizer.pad_id,
        position=position,
        start=start,
        steps=count,
        footprint=held,
    )


def _checked(recipe: Recipe, resume: bool, lock: Lock) -> Recipe:
    """The recipe, whose folder must be free, or with `resume` hold an unfinished run of the same settings."""
    for name in ("model", "data", "out"):
        if not getattr(recipe, name):
            raise CallError(f'The recipe has no {name}; give --{name}, or {name} = "..." in the TOML file')
    out = Path(recipe.out)
    if not resume:
        claim.require_free(out, lock)
        return recipe
    return resumed.settings(recipe, out)


def read_pairs(recipe: Recipe) -> Pairs:
    """The training pairs of a recipe's data. Raises CallError where they can't be read, or are too few."""
    rows = data.read(
        recipe.data,
        columns=recipe.columns,
        no_header=recipe.no_header,
        max_characters=recipe.max_characters,
        training=True,
    )
    return require_trainable(rows, recipe.data)


def _pairs(recipe: Recipe, note: Callable[[str], None]) -> Pairs:
    pairs = read_pairs(recipe)
    for said in pairs.notes:
        note(f"Data: {said}")
    without = next((row for row, negatives in enumerate(pairs.negatives, start=1) if not negatives), None)
    if recipe.loss == "triplet" and without:
        raise CallError(
            f"{recipe.data}, row {without} has no negative, and the triplet loss needs one in every row; "
            "add it, or use --loss info_nce"
        )
    return pairs


def steps(recipe: Recipe, count: int) -> int:
    """Updates of a run on so many rows."""
    if recipe.iters:
        return recipe.iters
    return max(batches.steps_per_epoch(count, recipe.batch_size) * recipe.epochs // recipe.grad_accumulation_steps, 1)
