"""A run's parts, made in the order in which they can be refused: nothing is written before all of them fit."""

import gc
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from mlx_metaembed import folder as folders
from mlx_metaembed.data.rows import Rows
from mlx_metaembed.engine import Engine, automatic_dtype, choose, footprint
from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import ModelFolder, locate
from mlx_metaembed.inputs.token_store import Store
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.long_form import long_form
from mlx_metaembed.training import (
    best,
    checkpoint,
    claim,
    defaults,
    evaluation,
    head_tables,
    model_parts,
    objective_tables,
    pooled_vectors,
    resumed,
    sampling,
    teachers,
    trackers,
)
from mlx_metaembed.training import rows as run_rows
from mlx_metaembed.training.checkpoint import Position
from mlx_metaembed.training.evaluation import Evaluation
from mlx_metaembed.training.given import NOTHING, Given
from mlx_metaembed.training.lock import Lock
from mlx_metaembed.training.loss_scale import LossScale
from mlx_metaembed.training.model_parts import PostTrunk
from mlx_metaembed.training.objective import Objective
from mlx_metaembed.training.parts import Parts
from mlx_metaembed.training.plan import Job, Plan, Target, fitting, measured
from mlx_metaembed.training.sampling import Source
from mlx_metaembed.training.tokenized_dataset import TokenizedDataset, number


@dataclass(frozen=True)
class Read:
    """What a recipe names, read and checked: `given` is the recipe as it came, `long` the same as tables."""

    given: Recipe
    long: Recipe
    start: Path | None
    source: ModelFolder
    tokenizer: Tokenizer
    behind: PostTrunk
    folder: ModelFolder
    objectives: tuple[Objective, ...]
    rows: dict[str, Rows]
    evaluation: Evaluation | None

    @property
    def count(self) -> int:
        return sum(map(len, self.rows.values()))


@dataclass(frozen=True)
class Planned:
    """How a run goes: on which engine, in which arithmetic, within which plan; `recipe` has nothing left open."""

    recipe: Recipe
    engine: Engine
    dtype: str
    plan: Plan
    steps: int


def prepare(
    recipe: Recipe,
    given: Given = NOTHING,
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
    read = _read(recipe, given, resume, lock, note)
    planned = _planned(read, note)
    numbered, position = _numbered(read, planned)
    return _loaded(read, planned, numbered, position, resume, lock, note, advance, until)


def _read(recipe: Recipe, given: Given, resume: bool, lock: Lock, note: Callable[[str], None]) -> Read:
    """Everything that is read before a device is asked for."""
    recipe = _checked(replace(recipe, sources=given.with_sources(recipe)), resume, lock)
    start = resumed.start(Path(recipe.out), note) if resume else None
    source = folders.read(start or locate.resolve(recipe.model))
    if source.head:
        raise CallError(
            f"{source.path} gives no vector a text, its modules end in the head {source.head!r}, and training is for "
            "one vector a text. Such a vector is what a folder without modules.json gives, by the mean over its tokens"
        )
    tokenizer = Tokenizer(source, recipe.max_seq_length)
    model_parts.trained(recipe, source)
    recipe = with_labels(recipe, source, given)
    long = long_form(recipe, head_tables.codes(source))
    behind = model_parts.post_trunk(recipe, source)
    objectives = objective_tables.objectives(long, behind, given.known_losses())
    folder = behind.folder
    if recipe.max_seq_length:
        # What a model was trained with is what its folder declares.
        folder = replace(folder, max_seq_length=recipe.max_seq_length, query_length=None, document_length=None)
    rows = head_tables.as_numbered(run_rows.read(long, objectives, note, given.rows), objectives, behind.heads)
    widths = {name: objective_tables.what(name, behind)[1] for each in objectives for name in each.names}
    rows = teachers.attached(rows, recipe, objectives, widths, note)
    trackers.require(recipe)
    measured_on = evaluation.read(recipe, list(rows.values()), folder, behind.heads, tokenizer, note)
    if start:
        best.require_same(start, measured_on)
    return Read(recipe, long, start, source, tokenizer, behind, folder, objectives, rows, measured_on)


def with_labels(recipe: Recipe, source: ModelFolder, given: Given = NOTHING) -> Recipe:
    """The recipe, whose heads for classes have the labels of the data where it gives none."""
    long = long_form(recipe, head_tables.codes(source))
    if not head_tables.lacking_labels(long):
        return recipe
    rows = run_rows.read(long, objective_tables.losses(long), lambda said: None, given.rows)
    heads = head_tables.with_labels(long, rows).heads
    return replace(recipe, heads=heads, dense=None, fsq="")


def _planned(read: Read, note: Callable[[str], None]) -> Planned:
    """The engine, and a plan that fits."""
    recipe = defaults.completed(read.given, read.count)
    engine = choose(recipe.engine)
    note(f"engine: {engine.name} on {engine.device} ({engine.reason})")
    dtype, why = automatic_dtype(engine) if recipe.dtype == "auto" else (recipe.dtype, "asked for")
    note(f"dtype: {dtype} ({why})")
    # A resumed run keeps its arithmetic, on whatever device it goes on.
    recipe = replace(recipe, dtype=dtype)
    if recipe.train == "heads" and read.given.learning_rate is not None:
        note(
            f"learning_rate = {recipe.learning_rate:g} is the trunk's, which does not train; what does learns at "
            f"head_learning_rate = {recipe.head_learning_rate:g}"
        )
    lengths = measured(list(read.rows.values()), read.folder, read.tokenizer)
    target = Target.of(engine.name, engine.device)
    texts = max(map(run_rows.texts_a_row, read.rows.values()))
    job = Job(recipe, read.source, target, dtype, length=lengths.longest, columns=texts, lengths=lengths)
    planned = fitting(job, budget=recipe.memory_bytes, note=note)
    # What does not change what trains is planned anew where the run goes on.
    recipe = replace(planned.job.recipe, checkpointing=recipe.checkpointing)
    if read.given.learning_rate is None:
        # What trains may have been changed, to fit.
        recipe = replace(recipe, learning_rate=defaults.RATES[recipe.train])
    count = steps(recipe, [len(rows) for rows in read.rows.values()])
    for line in defaults.said(replace(read.given, train=recipe.train), read.count, count):
        note(line)
    note(f"plan: {planned.words()}")
    if warning := planned.job.target.memory_warning(recipe.memory_bytes):
        note(warning)
    return Planned(recipe, engine, dtype, planned, count)


def _numbered(read: Read, planned: Planned) -> tuple[TokenizedDataset, Position]:
    """The texts by number, and where the run stands. Raises CallError where the data has changed since it was begun."""
    prompts = {table.name: table.prompts for table in read.long.sources if table.prompts is not None}
    numbered = number(read.rows, read.folder, read.tokenizer, prompts)
    fresh = Position(0, numbered.key, LossScale.of(planned.dtype))
    position = checkpoint.read_position(read.start) if read.start else fresh
    if position.data != numbered.key:
        raise CallError(
            f"{' or '.join(table.path for table in read.long.sources)} or the tokenizer has changed since {read.start} "
            "was written; resume with the same data, or start a new run"
        )
    return numbered, position


def _loaded(
    read: Read,
    planned: Planned,
    numbered: TokenizedDataset,
    position: Position,
    resume: bool,
    lock: Lock,
    note: Callable[[str], None],
    advance: Callable[[str, int, int], None],
    until: ExitStack,
) -> Parts:
    """The model in the engine, the run's folder claimed, and its texts tokenised there."""
    recipe, engine, out = planned.recipe, planned.engine, Path(planned.recipe.out)
    adapter, frozen = model_parts.trunk(recipe, read.source)
    arrays = read.behind.arrays(recipe.seed)
    # An engine that an earlier run left lies in a cycle, and would be counted.
    gc.collect()
    until.enter_context(engine.limited(recipe.memory_bytes, planned=planned.plan.total))
    engine.memory(reset=True)
    held = footprint.now()

    def begin() -> tuple[str, Store]:
        run = claim.begin(out, recipe, lock, resume=resume)
        count = len(numbered.texts)
        if read.evaluation:
            read.evaluation.begin(
                out, lambda texts: advance("tokenising eval_data", texts, read.evaluation.texts), note
            )
        return run, numbered.store(read.tokenizer, out, lambda texts: advance("tokenising", texts, count), note)

    begun, vectors = None, None
    if recipe.train == "heads" and not read.behind.on_tokens:
        bare = replace(read.folder, dense=(), normalize=False)
        engine.load(bare, dtype=planned.dtype, heads={}, arrays={}, adapter=adapter)
        begun = begin()
        vectors = pooled_vectors.stored(
            out / numbered.stores[1],
            engine,
            begun[1],
            pad_id=read.tokenizer.pad_id,
            chunk_tokens=planned.plan.chunk_tokens,
            advance=lambda count: advance("embedding", count, len(numbered.texts)),
            note=note,
        )
        if read.evaluation:
            told = lambda count: advance("embedding eval_data", count, read.evaluation.texts)  # noqa: E731
            read.evaluation.pool(out, engine, planned.plan.chunk_tokens, told, note)
    engine.load(
        read.folder,
        dtype=planned.dtype,
        heads=read.behind.heads,
        arrays=arrays,
        adapter=adapter,
        trunk=vectors is None,
        train=True,
        frozen=frozen,
        dropout=recipe.dropout,
        checkpointing=planned.plan.checkpointing,
    )
    if read.start:
        engine.restore(checkpoint.read_state(read.start))
    run, store = begun or begin()
    weights = {table.name: table.weight for table in read.long.sources}
    return Parts(
        recipe=recipe,
        out=out,
        run=run,
        stores=numbered.stores + (read.evaluation.stores if read.evaluation else []),
        folder=read.folder,
        engine=engine,
        dtype=planned.dtype,
        adapter=adapter,
        heads=read.behind.heads,
        objectives=read.objectives,
        at_head_rate=model_parts.at_head_rate(recipe, read.folder),
        plan=planned.plan,
        sources=tuple(
            Source(name, rows, rows.tokens(store.lengths), weights[name]) for name, rows in numbered.rows.items()
        ),
        store=store,
        vectors=vectors,
        evaluation=read.evaluation,
        pad_id=read.tokenizer.pad_id,
        position=position,
        start=read.start,
        steps=planned.steps,
        footprint=held,
    )


def _checked(recipe: Recipe, resume: bool, lock: Lock) -> Recipe:
    """The recipe, whose folder must be free, or with `resume` hold an unfinished run of the same settings."""
    for name in ("model", "data", "out"):
        if not getattr(recipe, name) and not (name == "data" and recipe.sources):
            raise CallError(f'The recipe has no {name}; give --{name}, or {name} = "..." in the TOML file')
    out = Path(recipe.out)
    if not resume:
        claim.require_free(out, lock)
        return recipe
    return resumed.settings(recipe, out)


def steps(recipe: Recipe, sizes: Sequence[int]) -> int:
    """Updates of a run on data sets of so many rows."""
    if recipe.iters:
        return recipe.iters
    epoch = sampling.steps_per_epoch(sizes, recipe.batch_size, recipe.multi_dataset_batch_sampler)
    return max(epoch * recipe.epochs // recipe.grad_accumulation_steps, 1)
