"""How a run goes: its engine, its arithmetic, and a plan that fits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mlx_metaembed.engine import Engine, automatic_dtype, choose
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.long_form import long_form
from mlx_metaembed.training import defaults, head_tables, mined_negatives, sampling
from mlx_metaembed.training import rows as run_rows
from mlx_metaembed.training.plan import Job, Plan, Target, fitting, measured
from mlx_metaembed.training.read_recipe import ReadRecipe


@dataclass(frozen=True)
class PlannedRun:
    """How a run goes: on which engine, in which arithmetic, within which plan; `recipe` is tables, whole."""

    recipe: Recipe
    engine: Engine
    dtype: str
    plan: Plan
    steps: int


def plan_run(read: ReadRecipe, note: Callable[[str], None]) -> PlannedRun:
    """The engine and the plan of what was read; `note` hears them. Raises CallError where nothing fits."""
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
    if share := recipe.average_with_base:
        note(
            f"average_with_base: the model that is left is {1 - share:g} of what trains and {share:g} of {recipe.model}"
        )
    sets = mined_negatives.planned(read.rows, read.mined, recipe)
    lengths = measured(list(sets.values()), read.folder, read.tokenizer)
    target = Target.of(engine.name, engine.device)
    texts = max(map(run_rows.texts_a_row, sets.values()))
    mined = sum(mined_negatives.texts_of(read.rows[name]) for name in read.mined)
    job = Job(recipe, read.source, target, dtype, lengths.longest, texts, lengths, mined)
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
    if recipe.mine_every and recipe.mine_every >= count:
        note(
            f"mine_every = {recipe.mine_every} is not under the {count} steps: negatives are mined once, before the "
            "first"
        )
    if warning := planned.job.target.memory_warning(recipe.memory_bytes):
        note(warning)
    return PlannedRun(long_form(recipe, head_tables.codes(read.source)), engine, dtype, planned, count)


def steps(recipe: Recipe, sizes: Sequence[int]) -> int:
    """Updates of a run on data sets of so many rows."""
    if recipe.iters:
        return recipe.iters
    epoch = sampling.steps_per_epoch(sizes, recipe.batch_size, recipe.multi_dataset_batch_sampler)
    return max(epoch * recipe.epochs // recipe.grad_accumulation_steps, 1)
