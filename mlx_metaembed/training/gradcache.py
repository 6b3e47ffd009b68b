"""The gradient of a batch of any size in the memory of one chunk. arXiv:2101.06983, section 3.2.

Three steps: embed every chunk without a gradient; the total's gradient at what the heads gave; run each chunk again
with its share of it. A chunk is seeded by its number, so that dropout draws the same units both times.
"""

from collections.abc import Collection, Sequence

import numpy as np

from mlx_metaembed.engine import Engine, Total
from mlx_metaembed.inputs.chunks import Chunk


def gradient(
    engine: Engine,
    chunks: Sequence[Chunk],
    heads: Collection[str],
    total: Total,
    *,
    seed: int | Sequence[int],
    cached: bool,
) -> tuple[float, dict[str, float]]:
    """The total of a batch and each objective's loss, once its gradient is in the engine's sums; `cached` False holds
    all chunks at once. `heads` are what a pass of a chunk must give."""
    # A seed of 32 bits for each chunk, whatever the size of the run's own.
    seeds = [int(word) for word in np.random.SeedSequence(seed).generate_state(len(chunks))]
    if not cached:
        return engine.forward_backward(chunks, heads, total, seeds=seeds)
    outputs = [engine.embed(chunk, heads, seed=each) for chunk, each in zip(chunks, seeds, strict=True)]
    value, losses, cotangents = engine.grads(total, outputs)
    for chunk, share, each in zip(chunks, cotangents, seeds, strict=True):
        engine.backward(chunk, share, seed=each)
    return value, losses
