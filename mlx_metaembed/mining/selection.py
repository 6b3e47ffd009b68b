"""The negatives of one query, out of its candidates: margins, ranks, and which of what is left."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.mining.settings import Settings

BOUNDS = ("absolute_margin", "relative_margin", "max_score", "min_score")


@dataclass(frozen=True)
class Chosen:
    """Rows of the corpus int64 [n] and their scores float32 [n], best first; how many candidates each bound dropped."""

    rows: np.ndarray
    scores: np.ndarray
    dropped: dict[str, int]


def choose(
    rows: np.ndarray,
    scores: np.ndarray,
    positives: Sequence[float],
    settings: Settings,
    *,
    last_rank: int,
    seed: Sequence[int],
) -> Chosen:
    """At most `num_negatives` of the candidates [k], whatever their order; `positives` are the positives' scores.

    Equal scores stay in the order that they come in. `seed` decides what "random" takes.
    """
    order = np.argsort(-scores, kind="stable")
    rows, scores = rows[order], scores[order]
    dropped = {}
    for name in BOUNDS:
        above = _above(name, scores, min(positives), getattr(settings, name))
        if above is not None:
            dropped[name] = int(above.sum())
            rows, scores = rows[~above], scores[~above]
    rows, scores = rows[settings.range_min : last_rank], scores[settings.range_min : last_rank]
    if settings.sampling_strategy == "random" and len(rows) > settings.num_negatives:
        drawn = np.random.default_rng(tuple(seed)).choice(len(rows), settings.num_negatives, replace=False)
        rows, scores = rows[np.sort(drawn)], scores[np.sort(drawn)]
    return Chosen(rows[: settings.num_negatives], scores[: settings.num_negatives], dropped)


def _above(name: str, scores: np.ndarray, positive: float, bound: float | None) -> np.ndarray | None:
    """Which candidates a bound drops, bool [k]; None where there is no such bound."""
    if bound is None:
        return None
    if name == "absolute_margin":
        return scores + np.float32(bound) > np.float32(positive)
    if name == "relative_margin":
        # A share of its size, so that the bound lies below a negative score too.
        return scores > np.float32(positive) - np.float32(bound) * abs(np.float32(positive))
    return scores > bound if name == "max_score" else scores < bound
