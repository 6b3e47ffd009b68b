"""The batches of one update: each made when it is called for, its gradient summed in the engine."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

import numpy as np

from mlx_metaembed.engine import DENSE
from mlx_metaembed.training import batches
from mlx_metaembed.training import by_width as by_widths
from mlx_metaembed.training.batches import Batch
from mlx_metaembed.training.breakdown import Breakdown
from mlx_metaembed.training.gradcache import gradient
from mlx_metaembed.training.objective import passed, total
from mlx_metaembed.training.parts import Parts
from mlx_metaembed.training.sampling import Source, schedule

Group = Sequence[tuple[Source, Callable[[], Batch]]]
"""Batches with their data sets."""


@dataclass
class Sums:
    """What the batches of a group came to: each one's total, the losses by width, tokens that were real and that were
    computed, and the shapes of their chunks.
    """

    totals: list[float] = field(default_factory=list)
    by_width: dict[str, float] = field(default_factory=dict)
    real: int = 0
    padded: int = 0
    shapes: set[tuple[int, ...]] = field(default_factory=set)

    @property
    def loss(self) -> float:
        return sum(self.totals) / len(self.totals)


def groups(parts: Parts, breakdown: Breakdown, log: Sequence[Mapping[str, object]], *, after: int) -> Iterator[Group]:
    """The groups of a run's steps without end, from the one after so many; `breakdown` counts what `log` lacks."""
    recipe = parts.recipe
    sampler, size = recipe.multi_dataset_batch_sampler, recipe.grad_accumulation_steps
    chosen = schedule(parts.sources, recipe.batch_size, sampler=sampler, seed=recipe.seed)
    made = ((source, partial(_batch, parts, source, rows)) for source, rows in chosen)
    each = breakdown.onward(made, after * size, log, size)
    while True:
        yield list(islice(each, size))


def descend(parts: Parts, breakdown: Breakdown, group: Group, *, step: int, scale: float) -> Sums:
    """What a group came to, once the gradient of its totals times `scale` is in the engine's sums.

    `breakdown` counts each batch, and its losses by objective.
    """
    found = Sums()
    for number, (source, make) in enumerate(group):
        batch = make()
        padded = sum(chunk.ids.size for chunk in batch.chunks)
        found.real += int(parts.store.lengths[batch.texts].sum())
        found.padded += padded
        found.shapes |= {chunk.ids.shape for chunk in batch.chunks}
        shown: list = []
        seen = shown.append if number == len(group) - 1 and by_widths.due(step, parts.steps) else None
        value, each = _gradient(parts, source, batch, scale, seen, step, number)
        found.totals.append(value / scale)
        breakdown.add(source, batch, found.totals[-1], each)
        for outputs in shown:
            found.by_width = by_widths.losses(parts.objectives_of(source), parts.engine, batch, outputs)
    return found


def _batch(parts: Parts, source: Source, chosen: np.ndarray) -> Batch:
    rows = parts.negatives.rows(source.name, source.rows)
    if parts.vectors is not None:
        return batches.pooled_batch(rows, chosen)
    tokens = parts.plan.chunk_tokens
    return batches.batch(parts.store, rows, chosen, pad_id=parts.pad_id, chunk_tokens=tokens)


def _gradient(
    parts: Parts, source: Source, batch: Batch, scale: float, seen: Callable | None, step: int, number: int
) -> tuple[float, dict[str, float]]:
    """A batch's scaled total and each objective's loss, once its gradient is summed; `seen` gets the outputs."""
    own = parts.objectives_of(source)
    objectives = [replace(each, weight=each.weight_at(step, parts.steps)) for each in own]
    frozen = parts.folder if parts.vectors is not None else None
    seed = (parts.recipe.seed, step, number)
    summed = total(objectives, parts.heads, parts.engine, batch, scale, pooled=frozen, seen=seen, seed=seed)
    if parts.vectors is not None:
        vectors = {DENSE: parts.engine.array(parts.vectors[batch.texts])}
        return parts.engine.grads(summed, [vectors], behind=parts.world.rank == 0)[:2]
    heads, cached = passed(objectives, parts.heads), _cached(parts, batch)
    return gradient(parts.engine, batch.chunks, heads, summed, seed=seed, cached=cached, world=parts.world)


def _cached(parts: Parts, batch: Batch) -> bool:
    """Whether a batch goes through GradCache: asked for, or too large to hold at once."""
    if parts.recipe.grad_cache == "auto":
        return len(batch.chunks) > 1 and not parts.plan.holds(sum(chunk.ids.size for chunk in batch.chunks))
    return parts.recipe.grad_cache == "on"
