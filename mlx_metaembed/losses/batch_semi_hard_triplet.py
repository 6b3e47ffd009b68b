"""Semi-hard triplets: each positive of a text against the nearest negative that is farther than it."""

from dataclasses import dataclass
from typing import ClassVar

from mlx_metaembed.losses.batch_triplets import MOST_TRIPLETS, WithMargin
from mlx_metaembed.losses.blocks import over_blocks
from mlx_metaembed.losses.sample import Sizes
from mlx_metaembed.xp import LOWEST, Array, masked, namespace, relu


def batch_semi_hard(scores: Array, positive: Array, negative: Array, *, margin: float) -> tuple[Array, Array, Array]:
    """relu(a negative's score - a positive's + margin), the negative being the nearest that is farther than the
    positive, or where none is, the farthest: the sum over a tile [T, B], its gradient, and the number of positives.

    FaceNet, arXiv:1503.03832, section 3.2; sentence-transformers' BatchSemiHardTripletLoss.
    """

    def on_block(of: Array, is_positive: Array, others: Array, is_negative: Array) -> tuple:
        xp = namespace(of)
        outside = masked(others, is_negative & (others < of))
        nearest = xp.max(outside, axis=2, keepdims=True)
        farthest = -xp.max(masked(-others, is_negative), axis=2, keepdims=True)
        chosen = xp.where(nearest > LOWEST, nearest, farthest)
        is_chosen = xp.astype(is_negative & (others == chosen), xp.float32)
        count = xp.sum(is_chosen, axis=2, keepdims=True)
        counted = is_positive & (count > 0)
        violation = chosen - of + margin
        slope = xp.astype(counted & (violation > 0), xp.float32)
        value = xp.sum(xp.where(counted, relu(violation), xp.zeros_like(violation)))
        at_others = xp.sum(is_chosen * (slope / xp.where(count > 0, count, count + 1)), axis=1)
        return value, -xp.sum(slope, axis=2), at_others, xp.sum(xp.astype(counted, xp.float32))

    return over_blocks(scores, positive, negative, on_block, MOST_TRIPLETS)


@dataclass(frozen=True)
class BatchSemiHardTriplet(WithMargin):
    """batch_semi_hard of texts with a label."""

    kind: ClassVar[str] = "batch_semi_hard_triplet"

    def held_bytes(self, sizes: Sizes) -> int:
        return super().held_bytes(sizes) + 56 * min(MOST_TRIPLETS, sizes.rows**3)

    def on_labels(self, scores: Array, positive: Array, negative: Array) -> tuple[Array, Array, Array]:
        return batch_semi_hard(scores, positive, negative, margin=self.margin)
