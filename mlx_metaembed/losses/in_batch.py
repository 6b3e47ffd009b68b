"""Cross entropy of in-batch candidates for any scorers, and its gradient at a tile's scores. T rows, C candidates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.losses.guide import Guide
from mlx_metaembed.losses.scorers import Scorer
from mlx_metaembed.losses.tiled import over_tiles
from mlx_metaembed.xp import Array, constant, masked, namespace


@dataclass(frozen=True)
class Candidates:
    """Texts that rows are scored with; which count, bool [R, C], and which are positives, where some are.

    A candidate whose score is above `most` [R, 1] or [1, C], or that one of the guides does not allow, is left out, if
    it is no positive. `harder` [R, C] times its score is added to its logit.
    """

    scorer: Scorer
    counted: Array
    positives: Array | None = None
    most: Array | None = None
    harder: Array | None = None
    guides: tuple[Guide, ...] = ()

    def logits(self, part: slice, scores: Array, temperature: float) -> tuple[Array, Array]:
        """The logits [T, C] of a tile's rows, and 1 for each positive among them."""
        xp, counted = namespace(scores), self.counted[part]
        if self.most is not None:
            counted = counted & (scores <= (self.most[part] if self.most.shape[0] > 1 else self.most))
        for guide in self.guides:
            counted = counted & guide.allows(part, scores)
        target = xp.zeros_like(scores)
        if self.positives is not None:
            counted = counted | self.positives[part]
            target = xp.astype(self.positives[part], xp.float32)
        logits = scores / temperature
        if self.harder is not None:
            logits = logits + self.harder[part] * scores
        return masked(logits, counted), target


def in_batch(groups: Sequence[Candidates], temperature: float) -> Array:
    """The cross entropy of each row's positives, equal among each other, among the candidates of all groups together.

    It is averaged over the rows, each of which has a positive in one of the groups.
    """
    rows = groups[0].scorer.rows.shape[0]

    def on_scores(part: slice, found: list[Array]) -> tuple[Array, list[Array]]:
        both = [each.logits(part, scores, temperature) for each, scores in zip(groups, found, strict=True)]
        xp = namespace(found[0])
        logits, target = (xp.concatenate(each, axis=1) for each in zip(*both, strict=True))
        value, at = soft_cross_entropy(logits, target / xp.sum(target, axis=1, keepdims=True))
        at, ends = at / (temperature * rows), np.cumsum([scores.shape[1] for scores in found])
        return value / rows, [at[:, end - x.shape[1] : end] for x, end in zip(found, map(int, ends), strict=True)]

    return over_tiles([each.scorer for each in groups], on_scores)


def candidates(part: slice, scores: Array, mask: Array) -> tuple[Array, Array]:
    """Which candidates of a tile's rows count, its own always, and which is its own: bool [T, C] both."""
    numbers = np.arange(scores.shape[1], dtype=np.int32)
    is_own = constant(numbers[part, None] == numbers[None, :], scores)
    return mask | is_own, is_own


def soft_cross_entropy(scores: Array, target: Array) -> tuple[Array, Array]:
    """The sum over rows of -sum(target * log softmax(scores)), targets summing to 1, and its gradient [T, C]."""
    xp = namespace(scores)
    peak = xp.max(scores, axis=1, keepdims=True)
    powers = xp.exp(scores - peak)
    total = xp.sum(powers, axis=1, keepdims=True)
    log_total = xp.log(total) + peak
    # Where the target is 0 the score may be the least of all numbers: its product with 0 is 0.
    return xp.sum(log_total) - xp.sum(target * scores), powers / total - target
