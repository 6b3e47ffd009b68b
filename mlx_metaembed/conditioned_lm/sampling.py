"""Token by token: texts of IDs, drawn by NumPy from either engine's logits.

Guidance takes two passes, one with the ID and one with none: logits = (1 + w) l(ID) - w l(none), arXiv:2306.17806.
B rows, d digits, V tokens known.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.conditioned_lm.batches import before
from mlx_metaembed.conditioned_lm.conditioned import Conditioned
from mlx_metaembed.conditioned_lm.tokens import Tokens
from mlx_metaembed.engine.causal_model import Weights


@dataclass(frozen=True)
class Draw:
    """How tokens are drawn: `guidance` w (0: one pass), `temperature` (0: the likeliest), and the share of the
    likeliest tokens that count, `top_p`."""

    guidance: float = 1.0
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 64


def write(
    model: Conditioned,
    weights: Weights,
    tokens: Tokens,
    digits: np.ndarray,
    draw: Draw,
    random: np.random.Generator,
    told: Callable[[int], None] = lambda count: None,
) -> list[list[int]]:
    """Token ids written for each of IDs int [B, d], without those before them; each ends with the token that ends a
    text, or at `max_tokens`. IDs whose spelling has as many tokens go together, in the order of their lengths."""
    begun = [before(tokens, model.levels, model.settings, row) for row in digits]
    found: list[list[int]] = [[]] * len(digits)
    for length in sorted({len(each) for each in begun}):
        rows = [at for at, each in enumerate(begun) if len(each) == length]
        starts = np.array([begun[at] for at in rows], np.int32)
        for at, ids in zip(rows, _written(model, weights, tokens, digits[rows], starts, draw, random), strict=True):
            found[at] = ids
        told(len(rows))
    return found


def _written(
    model: Conditioned,
    weights: Weights,
    tokens: Tokens,
    digits: np.ndarray,
    starts: np.ndarray,
    draw: Draw,
    random: np.random.Generator,
) -> list[list[int]]:
    passes = [_Pass(model, weights, digits, starts)]
    none = np.repeat(model.levels.none[None], len(digits), axis=0)
    if draw.guidance and not np.array_equal(digits, none):
        empty = [before(tokens, model.levels, model.settings, row) for row in none]
        passes.append(_Pass(model, weights, none, np.array(empty, np.int32)))
    written: list[list[int]] = [[] for _ in digits]
    open_rows = np.ones(len(digits), bool)
    given: np.ndarray | None = None
    for at in range(draw.max_tokens):
        logits = [each.next(given) for each in passes]
        guided = logits[0] if len(logits) == 1 else (1 + draw.guidance) * logits[0] - draw.guidance * logits[1]
        if at == 0:
            # A text has at least one token.
            guided[:, tokens.ends] = -np.inf
        chosen = drawn(guided, draw.temperature, draw.top_p, random)
        chosen[~open_rows] = tokens.ends[0]
        for row in np.flatnonzero(open_rows):
            written[row].append(int(chosen[row]))
        open_rows &= ~np.isin(chosen, tokens.ends)
        if not open_rows.any():
            break
        given = chosen[:, None].astype(np.int32)
    return written


class _Pass:
    """One way through the model, with its cache."""

    def __init__(self, model: Conditioned, weights: Weights, digits: np.ndarray, starts: np.ndarray):
        self._model, self._weights, self._digits, self._starts = model, weights, digits, starts
        self._cache = model.model.cache()

    def next(self, given: np.ndarray | None) -> np.ndarray:
        """Logits float32 [B, V] behind what was given, int32 [B, 1]; the first time behind the start."""
        ids = self._starts if given is None else given
        found = self._model.logits(self._weights, self._digits, ids, self._cache, first=given is None)
        return np.array(self._model.model.numpy(found[:, -1]), np.float32)


def drawn(logits: np.ndarray, temperature: float, top_p: float, random: np.random.Generator) -> np.ndarray:
    """A token int64 [B] for each row of logits [B, V]; one random number a row, whatever the logits are."""
    thrown = random.random(len(logits))
    if not temperature:
        return logits.argmax(axis=1)
    scaled = logits.astype(np.float64) / temperature
    shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    # From the likeliest on, so that a small difference of two engines' logits rarely changes the token.
    order = np.argsort(-shares, axis=1, kind="stable")
    summed = np.cumsum(np.take_along_axis(shares, order, axis=1), axis=1)
    kept = np.take_along_axis(
        summed, (summed < top_p - 1e-12).sum(axis=1, keepdims=True).clip(0, summed.shape[1] - 1), 1
    )
    place = (summed <= thrown[:, None] * kept).sum(axis=1)
    return np.take_along_axis(order, np.minimum(place, logits.shape[1] - 1)[:, None], axis=1)[:, 0]


def texts(tokens: Tokens, written: Sequence[Sequence[int]]) -> list[str]:
    """What was written, as texts."""
    return [tokens.text(ids) for ids in written]
