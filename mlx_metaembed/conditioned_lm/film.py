"""Gains on the norms: what a norm gives is multiplied by 1 + W e, where e is the sum of the digits' embeddings.

W begins at zero, so that the model begins as its base. For one ID the gains are those of an ordinary model. The last
row of a table stands for no ID. B rows, L tokens, D features, N norms, E features of e. FiLM: arXiv:1709.07871.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mlx_metaembed.xp import Array, namespace

NAME, GAINS = "film.{}", "film.gains"


def initial(levels: Sequence[int], width: int, norms: int, features: int, seed: int) -> dict[str, np.ndarray]:
    """The tables [levels + 1, E], so that e has about unit variance, and W [N * D, E] of zeros."""
    random = np.random.default_rng(seed)
    tables = {
        NAME.format(at): (random.standard_normal((count + 1, width)) / len(levels) ** 0.5).astype(np.float32)
        for at, count in enumerate(levels)
    }
    return tables | {GAINS: np.zeros((norms * features, width), np.float32)}


def gains(weights: Mapping[str, Array], digits: Array, norms: int) -> Array:
    """What the gains are multiplied by, [B, N, D], for IDs int [B, d]."""
    xp = namespace(digits)
    embedded = sum(xp.take(weights[NAME.format(at)], digits[:, at], axis=0) for at in range(digits.shape[1]))
    return 1 + xp.matmul(embedded, xp.swapaxes(weights[GAINS], 0, 1)).reshape(digits.shape[0], norms, -1)


def scaled(states: Array, gain: Array) -> Array:
    """States [B, L, D] times a gain [B, D]."""
    return states * namespace(states).astype(gain, states.dtype)[:, None, :]
