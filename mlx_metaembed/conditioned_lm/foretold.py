"""Bits a token on texts that nothing was learned from: with their own ID, with none, and with another text's."""

from collections.abc import Callable

import numpy as np

from mlx_metaembed.conditioned_lm.batches import Batches
from mlx_metaembed.conditioned_lm.conditioned import Conditioned
from mlx_metaembed.conditioned_lm.levels import Levels
from mlx_metaembed.engine.causal_model import Weights

OWN, NONE, SHUFFLED = "id", "none", "shuffled"
ROWS = 16
"""Texts that go through together."""


def bits(
    model: Conditioned,
    weights: Weights,
    batches: Batches,
    ids: np.ndarray,
    levels: Levels,
    seed: int,
    told: Callable[[int], None] = lambda count: None,
) -> dict[str, np.ndarray]:
    """By condition the bits float64 [n] of each text, and its `tokens` int [n]."""
    given = {OWN: ids, NONE: np.repeat(levels.none[None], len(ids), axis=0), SHUFFLED: shuffled(ids, seed)}
    found = {name: np.zeros(len(ids)) for name in given} | {"tokens": np.zeros(len(ids), np.int64)}
    for first in range(0, len(ids), ROWS):
        rows = np.arange(first, min(first + ROWS, len(ids)))
        for name, digits in given.items():
            at = first
            for part in batches.made(rows, digits[rows]).parts(model.model.tokens):
                nats = model.model.numpy(model.losses(weights, part.digits, part.ids, part.mask))
                found[name][at : at + len(nats)] = nats.sum(axis=1, dtype=np.float64) / np.log(2)
                found["tokens"][at : at + len(nats)] = part.mask[:, 1:].sum(axis=1)
                at += len(nats)
        told(len(rows))
    return found


def shuffled(ids: np.ndarray, seed: int) -> np.ndarray:
    """The IDs [n, d], each text with another's: turned by one in a random order."""
    order = np.random.default_rng((seed, 2)).permutation(len(ids))
    made = ids.copy()
    made[order] = ids[np.roll(order, 1)]
    return made


def measures(found: dict[str, np.ndarray], seen: np.ndarray) -> dict[str, float | int | None]:
    """Bits a token by condition over all texts, and with their own ID over those of `seen` IDs and of others."""

    def mean(name: str, rows: np.ndarray) -> float | None:
        tokens = found["tokens"][rows].sum()
        return float(found[name][rows].sum() / tokens) if tokens else None

    every = np.ones(len(seen), bool)
    named = {f"bits_{name}": mean(name, every) for name in (OWN, NONE, SHUFFLED)}
    return named | {
        "bits_id_seen": mean(OWN, seen),
        "bits_id_unseen": mean(OWN, ~seen),
        "texts": len(seen),
        "texts_unseen": int((~seen).sum()),
    }
