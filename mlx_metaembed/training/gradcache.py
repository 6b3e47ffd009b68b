"""The gradient of a batch of any size in the memory of one chunk. arXiv:2101.06983, section 3.2.

Three steps: embed every chunk without a gradient; the loss's gradient at the vectors; run each chunk again with its
share of it. A chunk is seeded by its number, so that dropout draws the same units both times.
"""

from collections.abc import Sequence

import numpy as np

from mlx_metaembed.engine import Engine, Objective
from mlx_metaembed.training.batches import Batch
from mlx_metaembed.xp import Array, namespace


def gradient(engine: Engine, batch: Batch, objective: Objective, *, seed: int | Sequence[int], cached: bool) -> float:
    """Add the batch's gradient to the engine's sums and give its loss; `cached` False holds all chunks at once."""
    # A seed of 32 bits for each chunk, whatever the size of the run's own.
    seeds = [int(word) for word in np.random.SeedSequence(seed).generate_state(len(batch.chunks))]
    if not cached:
        return engine.forward_backward(batch.chunks, objective, seeds=seeds)
    vectors = [engine.embed(chunk, seed=each) for chunk, each in zip(batch.chunks, seeds, strict=True)]
    loss, at_vectors = engine.grads(objective, namespace(vectors[0]).concatenate(vectors, axis=0))
    for chunk, share, each in zip(batch.chunks, _split(at_vectors, batch), seeds, strict=True):
        engine.backward(chunk, share, seed=each)
    return loss


def _split(at_vectors: Array, batch: Batch) -> Sequence[Array]:
    """The gradient [n, D] by chunk."""
    shares, first = [], 0
    for chunk in batch.chunks:
        shares.append(at_vectors[first : first + len(chunk.ids)])
        first += len(chunk.ids)
    return shares
