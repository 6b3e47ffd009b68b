"""The gradient of a batch of any size in the memory of one chunk. arXiv:2101.06983, section 3.2.

Three steps: embed every chunk without a gradient; the total's gradient at what the heads gave; run each chunk again
with its share of it. A chunk is seeded by its number, so that dropout draws the same units both times. Of several
processes each embeds and runs again its own chunks; what the heads gave is exchanged between, and the gradient at all
of it computed by each.
"""

from collections.abc import Collection, Sequence

import numpy as np

from mlx_metaembed.engine import ALONE, Engine, Total, World
from mlx_metaembed.inputs.chunks import Chunk
from mlx_metaembed.training.shares import exchanged, shares


def gradient(
    engine: Engine,
    chunks: Sequence[Chunk],
    heads: Collection[str],
    total: Total,
    *,
    seed: int | Sequence[int],
    cached: bool,
    world: World = ALONE,
) -> tuple[float, dict[str, float]]:
    """The total of a batch and each objective's loss, once its gradient is in the engine's sums; `cached` False holds
    all chunks at once, where one process has them. `heads` are what a pass of a chunk must give."""
    # A seed of 32 bits for each chunk, whatever the size of the run's own.
    seeds = [int(word) for word in np.random.SeedSequence(seed).generate_state(len(chunks))]
    if not cached and world.size == 1:
        return engine.forward_backward(chunks, heads, total, seeds=seeds)
    by_rank = shares(chunks, world.size)
    own = {at: engine.embed(chunks[at], heads, seed=seeds[at]) for at in by_rank[world.rank]}
    outputs = exchanged(world, engine, own, heads, by_rank)
    value, losses, cotangents = engine.grads(total, outputs, behind=world.rank == 0)
    for at in own:
        engine.backward(chunks[at], cotangents[at], seed=seeds[at])
    return value, losses
