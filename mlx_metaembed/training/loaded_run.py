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
from mlx_metaembed.training import base_teacher, checkpoint, claim, model_parts, pooled_vectors
from mlx_metaembed.training.call import Call
from mlx_metaembed.training.planned_run import PlannedRun
from mlx_metaembed.training.read_recipe import ReadRecipe
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
    base: np.ndarray | None = None
    """The base's vectors of all texts, where an objective takes them."""


def load_run(read: ReadRecipe, planned: PlannedRun, numbered: TokenizedDataset, call: Call) -> LoadedRun:
    """The model in the engine, on which the run goes on.

    A trunk that is frozen whole gives its vectors and goes, so the folder is claimed before the rest is loaded.
    Elsewhere it is claimed when all has found its place.
    """
    adapter, frozen = model_parts.trunk(planned.recipe, read.source)
    arrays = read.behind.arrays(planned.recipe.seed)
    held = _limit(planned, call)
    begin = partial(_begin, read, planned, numbered, call)
    begun, vectors, base = None, None, None
    if base_teacher.wanted(planned.recipe, read.objectives):
        begun = rank_0_first(call.world, planned.engine, begin)
        base = rank_0_first(call.world, planned.engine, partial(_of_base, read, planned, numbered, begun[1], call))
    if planned.recipe.train == "heads" and not read.behind.on_tokens:
        bare = replace(read.folder, dense=(), normalize=False)
        planned.engine.load(bare, dtype=planned.dtype, heads={}, arrays={}, adapter=adapter)
        begun = begun or rank_0_first(call.world, planned.engine, begin)
        pool = partial(_pooled, read, planned, numbered, begun[1], call)
        vectors = rank_0_first(call.world, planned.engine, pool)
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
    )
    if read.start:
        planned.engine.restore(checkpoint.read_state(read.start))
    run, store = begun or rank_0_first(call.world, planned.engine, begin)
    return LoadedRun(run, store, vectors, adapter, held, base)


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


def _of_base(read: ReadRecipe, planned: PlannedRun, numbered: TokenizedDataset, store: Store, call: Call) -> np.ndarray:
    """The base's vectors of the texts, kept in the run's folder."""
    count = len(numbered.texts)
    return base_teacher.stored(
        Path(planned.recipe.out) / numbered.base_store,
        planned.recipe,
        planned.engine,
        store,
        dtype=planned.dtype,
        pad_id=read.tokenizer.pad_id,
        chunk_tokens=planned.plan.chunk_tokens,
        advance=lambda texts: call.advance("embedding with the base", texts, count),
        note=call.note,
    )
