"""A run's model taken into its engine, its folder claimed, and its texts tokenised there."""

import gc
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from mlx_metaembed.adapters import Adapter
from mlx_metaembed.engine import footprint
from mlx_metaembed.engine.world import rank_0_first
from mlx_metaembed.inputs.token_store import Store
from mlx_metaembed.training import (
    checkpoint,
    claim,
    head_start,
    model_parts,
    pooled_vectors,
    quantization_aware,
    teacher_model,
    weighting,
)
from mlx_metaembed.training.call import Call
from mlx_metaembed.training.planned_run import PlannedRun
from mlx_metaembed.training.read_recipe import ReadRecipe
from mlx_metaembed.training.teacher_model import TeacherModel
from mlx_metaembed.training.tokenized_dataset import TokenizedDataset


@dataclass(frozen=True)
class LoadedRun:
    """What stands in the engine and in the run's folder: `run` is its id, `vectors` the texts' own where the trunk is
    frozen whole, `footprint` the process's bytes before the model was loaded.
    """

    run: str
    store: Store
    vectors: np.ndarray | None
    adapter: Adapter | None
    footprint: int


def load_run(read: ReadRecipe, planned: PlannedRun, numbered: TokenizedDataset, call: Call) -> LoadedRun:
    """The model in the engine, on which the run goes on.

    A teacher that is a model, and a trunk that is frozen whole, give their vectors and go, so the folder is claimed
    before the rest is loaded. Elsewhere it is claimed when all has found its place.
    """
    adapter, frozen = model_parts.trunk(planned.recipe, read.source)
    learned = weighting.initial(planned.recipe, read.objectives)
    if read.start:
        learned = weighting.read(read.start / checkpoint.STATE, learned)
    arrays = read.behind.arrays(planned.recipe.seed) | learned
    begin = partial(_begin, read, planned, numbered, call)
    begun, vectors = None, None
    if teachers := teacher_model.models(read.rows):
        begun = rank_0_first(call.world, planned.engine, begin)
        for teacher in teachers:
            rank_0_first(call.world, planned.engine, partial(_taught, teacher, planned, call))
    held = _limit(planned, call)
    if planned.recipe.train == "heads" and not read.behind.on_tokens:
        bare = replace(read.folder, dense=(), normalize=False)
        planned.engine.load(bare, dtype=planned.dtype, heads={}, arrays={}, adapter=adapter)
        begun = begun or rank_0_first(call.world, planned.engine, begin)
        pool = partial(_pooled, read, planned, numbered, begun[1], call)
        vectors = rank_0_first(call.world, planned.engine, pool)
    # A run that goes on has its heads in its checkpoint.
    if read.behind.starts and not read.start:
        arrays = _started(read, planned, numbered, arrays, vectors, adapter, call)
    planned.engine.load(
        read.folder,
        dtype=planned.dtype,
        heads=read.behind.heads,
        arrays=arrays,
        adapter=adapter,
        trunk=vectors is None,
        train=True,
        frozen=frozen,
        dropout=planned.recipe.dropout,
        checkpointing=planned.plan.checkpointing,
        rounding=quantization_aware.settings(planned.recipe, read.folder),
    )
    if read.start:
        planned.engine.restore(checkpoint.read_state(read.start))
    run, store = begun or rank_0_first(call.world, planned.engine, begin)
    return LoadedRun(run, store, vectors, adapter, held)


def _started(
    read: ReadRecipe,
    planned: PlannedRun,
    numbered: TokenizedDataset,
    arrays: dict[str, np.ndarray],
    pooled: np.ndarray | None,
    adapter: Adapter | None,
    call: Call,
) -> dict[str, np.ndarray]:
    """The arrays behind the trunk, whose new heads begin by the vectors of a sample of the texts."""
    seed, engine = planned.recipe.seed, planned.engine
    sample = head_start.sample(read.behind, read.objectives, numbered, seed)
    if not len(sample.texts):
        return arrays
    if pooled is None:
        own = {name: array for name, array in arrays.items() if not name.startswith("heads.")}
        engine.load(read.folder, dtype=planned.dtype, heads={}, arrays=own, adapter=adapter)
        told = lambda texts: call.advance("embedding for new heads", texts, len(sample.texts))  # noqa: E731
        vectors = head_start.embedded(engine, read.tokenizer, numbered, sample.texts, planned.plan.chunk_tokens, told)
    else:
        vectors = head_start.finished(pooled[sample.texts], read.folder, arrays)
    return head_start.begun(arrays, read.behind, sample, vectors, seed, call.note, call.advance)


def _taught(teacher: TeacherModel, planned: PlannedRun, call: Call) -> None:
    """See that a teacher's vectors lie in the run's folder."""
    what, count = f"embedding by {teacher.table.name}", len(teacher)
    out = Path(planned.recipe.out)
    teacher.make(out, planned.engine.name, lambda texts: call.advance(what, texts, count), call.note)


def _limit(planned: PlannedRun, call: Call) -> int:
    """Bytes of the process, once the engine holds no more than the recipe says."""
    # An engine that an earlier run left lies in a cycle, and would be counted.
    gc.collect()
    call.until.enter_context(planned.engine.limited(planned.recipe.memory_bytes, planned=planned.plan.total))
    planned.engine.memory(reset=True)
    return footprint.now()


def _begin(read: ReadRecipe, planned: PlannedRun, numbered: TokenizedDataset, call: Call) -> tuple[str, Store]:
    """The run's id and its texts' tokens, once the folder is the run's; rank 0 makes it so."""
    out, count = Path(planned.recipe.out), len(numbered.texts)
    run = claim.begin(out, planned.recipe, call.lock, resume=call.resume) if call.leads else claim.read(out)["run"]
    if call.leads and (measured := read.evaluation):
        measured.begin(out, lambda texts: call.advance("tokenising eval_data", texts, measured.texts), call.note)
    return run, numbered.store(read.tokenizer, out, lambda texts: call.advance("tokenising", texts, count), call.note)


def _pooled(read: ReadRecipe, planned: PlannedRun, numbered: TokenizedDataset, store: Store, call: Call) -> np.ndarray:
    """The texts' vectors of the trunk that the engine holds, kept in the run's folder; eval_data's too."""
    out, engine, count = Path(planned.recipe.out), planned.engine, len(numbered.texts)
    vectors = pooled_vectors.stored(
        out / numbered.stores[1],
        engine,
        store,
        pad_id=read.tokenizer.pad_id,
        chunk_tokens=planned.plan.chunk_tokens,
        advance=lambda texts: call.advance("embedding", texts, count),
        note=call.note,
    )
    if call.leads and (measured := read.evaluation):
        told = lambda texts: call.advance("embedding eval_data", texts, measured.texts)  # noqa: E731
        measured.pool(out, engine, planned.plan.chunk_tokens, told, call.note)
    return vectors
