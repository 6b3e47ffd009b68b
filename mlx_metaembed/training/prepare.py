"""A run's parts, made in the order in which they can be refused: nothing is written before all of them fit."""

from pathlib import Path

from mlx_metaembed.errors import CallError
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import checkpoint, head_start, mined_negatives, model_parts, teacher_model
from mlx_metaembed.training.call import Call
from mlx_metaembed.training.checkpoint import Position
from mlx_metaembed.training.loaded_run import LoadedRun, load_run
from mlx_metaembed.training.loss_scale import LossScale
from mlx_metaembed.training.mined_negatives import MinedNegatives, MinedSet
from mlx_metaembed.training.parts import Parts
from mlx_metaembed.training.planned_run import PlannedRun, plan_run
from mlx_metaembed.training.read_recipe import ReadRecipe, read_recipe
from mlx_metaembed.training.sampling import Source
from mlx_metaembed.training.tokenized_dataset import TokenizedDataset, number


def prepare(recipe: Recipe, call: Call) -> Parts:
    """What a run's loop runs on: everything read, checked and loaded; then the folder claimed and the texts tokenised
    into it. Raises CallError for whatever does not fit.
    """
    read = read_recipe(recipe, call)
    planned = plan_run(read, call.note)
    numbered, position = _numbered(read, planned)
    head_start.require(len(numbered.texts), read.behind)
    negatives = _mined(read, planned, numbered)
    loaded = load_run(read, planned, numbered, call)
    return _parts(read, planned, numbered, position, negatives, loaded, call)


def _mined(read: ReadRecipe, planned: PlannedRun, numbered: TokenizedDataset) -> MinedNegatives:
    """The data sets whose negatives are mined, with those that the run goes on with."""
    settings = mined_negatives.settings_of(planned.recipe)
    sets = {name: MinedSet.of(name, read.rows[name], numbered.rows[name], settings) for name in read.mined}
    found = MinedNegatives(sets, settings, planned.recipe.mine_every)
    if read.start:
        found.restore(read.start, len(numbered.texts))
    return found


def _numbered(read: ReadRecipe, planned: PlannedRun) -> tuple[TokenizedDataset, Position]:
    """The texts by number, and where the run stands. Raises CallError where the data has changed since it was begun."""
    prompts = {table.name: table.prompts for table in read.long.sources if table.prompts is not None}
    numbered = number(read.rows, read.folder, read.tokenizer, prompts)
    fresh = Position(0, numbered.key, LossScale.of(planned.dtype))
    position = checkpoint.read_position(read.start) if read.start else fresh
    if position.data != numbered.key:
        said = [table.path for table in read.long.sources] + [each.path or each.model for each in read.long.teachers]
        raise CallError(
            f"{' or '.join(said)} or the tokenizer has changed since {read.start} was written; resume with the same "
            "data, or start a new run"
        )
    return numbered, position


def _parts(
    read: ReadRecipe,
    planned: PlannedRun,
    numbered: TokenizedDataset,
    position: Position,
    negatives: MinedNegatives,
    loaded: LoadedRun,
    call: Call,
) -> Parts:
    weights = {table.name: table.weight for table in read.long.sources}
    return Parts(
        recipe=planned.recipe,
        out=Path(planned.recipe.out),
        run=loaded.run,
        stores=[
            *numbered.stores,
            *(each.store for each in teacher_model.models(read.rows)),
            *(read.evaluation.stores if read.evaluation else []),
        ],
        folder=read.folder,
        engine=planned.engine,
        world=call.world,
        dtype=planned.dtype,
        adapter=loaded.adapter,
        heads=read.behind.heads,
        objectives=read.objectives,
        at_head_rate=model_parts.at_head_rate(planned.recipe, read.folder),
        plan=planned.plan,
        sources=tuple(
            Source(name, rows, rows.tokens(loaded.store.lengths), weights[name], read.samplers[name])
            for name, rows in numbered.rows.items()
        ),
        negatives=negatives,
        store=loaded.store,
        vectors=loaded.vectors,
        evaluation=read.evaluation if call.leads else None,
        pad_id=read.tokenizer.pad_id,
        position=position,
        start=read.start,
        steps=planned.steps,
        footprint=loaded.footprint,
    )
