"""Which data set a batch is from, and which of its rows: a function of the seed and the step.

A batch is of one data set. `proportional` takes every row of every set once an epoch; `round_robin` one batch of each
in turn, until the smallest has no more; `weighted` draws the set of each batch by the sets' weights.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from mlx_metaembed.training import batch_samplers, batches
from mlx_metaembed.training.batches import TokenizedRows

SAMPLERS = ("proportional", "round_robin", "weighted")
ORDER = 2**32
"""Seeds the order of the sets, apart from the orders of their rows."""


@dataclass(frozen=True)
class Source:
    """A data set of a run, tokenised; `tokens` int64 [R] are those of each row's texts together.

    `sampler` says which rows share a batch (see batch_samplers.py).
    """

    name: str
    rows: TokenizedRows
    tokens: np.ndarray
    weight: float = 1.0
    sampler: str = batch_samplers.PLAIN


def steps_per_epoch(sizes: Sequence[int], batch_size: int, sampler: str) -> int:
    """Batches of an epoch over sets of so many rows."""
    each = [batches.steps_per_epoch(size, batch_size) for size in sizes]
    return min(each) * len(each) if sampler == "round_robin" else sum(each)


def schedule(
    sources: Sequence[Source], batch_size: int, *, sampler: str, seed: int
) -> Iterator[tuple[Source, np.ndarray]]:
    """The batches of a run without end: each one's data set, and the numbers of its rows."""
    for number in count():
        yield from _epoch(sources, batch_size, sampler=sampler, seed=seed, number=number)


def _epoch(
    sources: Sequence[Source], batch_size: int, *, sampler: str, seed: int, number: int
) -> Iterator[tuple[Source, np.ndarray]]:
    streams = [_stream(source, batch_size, seed, number, at) for at, source in enumerate(sources)]
    sizes = [batches.steps_per_epoch(len(source.rows), batch_size) for source in sources]
    random = np.random.default_rng((seed, number, ORDER))
    if sampler == "round_robin":
        order = np.tile(np.arange(len(sources)), min(sizes))
    elif sampler == "weighted":
        weights = np.array([source.weight for source in sources])
        order = random.choice(len(sources), sum(sizes), p=weights / weights.sum())
    else:
        order = random.permutation(np.repeat(np.arange(len(sources)), sizes))
    for at in order:
        yield sources[at], next(streams[at])


def _stream(source: Source, batch_size: int, seed: int, number: int, at: int) -> Iterator[np.ndarray]:
    """The batches of one set in an epoch, and again in another order where more are asked for."""
    for again in count():
        # A run of one set has the order that it had before there were several.
        key = (seed, number) if not (at or again) else (seed, number, at, again)
        yield from batch_samplers.sampled(source.sampler, source.rows, source.tokens, batch_size, seed=key)
