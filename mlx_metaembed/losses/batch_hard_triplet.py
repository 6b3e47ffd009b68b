"""Batch-hard triplets: each text's farthest positive nearer than its nearest negative."""

from dataclasses import dataclass
from typing import ClassVar

from mlx_metaembed.losses.batch_triplets import BatchTriplets, WithMargin
from mlx_metaembed.xp import Array, masked, namespace, relu, softplus


def batch_hard(
    scores: Array, positive: Array, negative: Array, *, margin: float, soft_margin: bool
) -> tuple[Array, Array, Array]:
    """relu, or softplus, of (the hardest negative's score - the hardest positive's + margin): the sum over the texts
    of a tile [T, B] that have both, its gradient, and the number of such texts.

    arXiv:1703.07737, section 2; sentence-transformers' BatchHardTripletLoss and BatchHardSoftMarginTripletLoss.
    """
    xp = namespace(scores)
    (near, at_near), (far, at_far) = _hardest(-scores, positive), _hardest(scores, negative)
    there = xp.sum(at_near, axis=1, keepdims=True) * xp.sum(at_far, axis=1, keepdims=True)
    violation = xp.where(there > 0, near + far, xp.zeros_like(near)) + margin
    found = softplus(violation) if soft_margin else relu(violation)
    slope = xp.exp(violation - softplus(violation)) if soft_margin else xp.astype(violation > 0, xp.float32)
    there = xp.astype(there > 0, xp.float32)
    return xp.sum(found * there), slope * there * (at_far - at_near), xp.sum(there)


def _hardest(scores: Array, counted: Array) -> tuple[Array, Array]:
    """The largest score of each row where `counted` [T, 1], and the share that each text has in it, 0 where none is."""
    xp = namespace(scores)
    best = xp.max(masked(scores, counted), axis=1, keepdims=True)
    found = xp.astype(counted & (scores == best), xp.float32)
    count = xp.sum(found, axis=1, keepdims=True)
    return best, found / xp.where(count > 0, count, count + 1)


@dataclass(frozen=True)
class BatchHardTriplet(WithMargin):
    """batch_hard with a margin."""

    kind: ClassVar[str] = "batch_hard_triplet"

    def on_labels(self, scores: Array, positive: Array, negative: Array) -> tuple[Array, Array, Array]:
        return batch_hard(scores, positive, negative, margin=self.margin, soft_margin=False)


@dataclass(frozen=True)
class BatchHardSoftMarginTriplet(BatchTriplets):
    """batch_hard with a soft margin, which is no number to set."""

    kind: ClassVar[str] = "batch_hard_soft_margin_triplet"

    def on_labels(self, scores: Array, positive: Array, negative: Array) -> tuple[Array, Array, Array]:
        return batch_hard(scores, positive, negative, margin=0.0, soft_margin=True)
