"""All triplets of a batch: every positive of a text nearer than every negative."""

from dataclasses import dataclass
from typing import ClassVar

from mlx_metaembed.losses.batch_triplets import MOST_TRIPLETS, WithMargin
from mlx_metaembed.losses.blocks import over_blocks
from mlx_metaembed.losses.sample import Sizes
from mlx_metaembed.losses.settings import setting
from mlx_metaembed.xp import Array, namespace, relu, softplus


def batch_all(scores: Array, positive: Array, negative: Array, *, margin: float, soft_margin: bool) -> tuple:
    """relu, or softplus, of (a negative's score - a positive's + margin): the sum over the triplets of a tile [T, B],
    its gradient, and how many of them are above 0.

    arXiv:1703.07737, section 2; sentence-transformers' BatchAllTripletLoss. Triplets are made block by block, and at
    most MOST_TRIPLETS are held.
    """

    def on_block(of: Array, is_positive: Array, others: Array, is_negative: Array) -> tuple:
        xp = namespace(of)
        violation = others - of + margin
        zeros, counted = xp.zeros_like(violation), is_positive & is_negative
        counted = counted if soft_margin else counted & (violation > 0)
        value = xp.sum(xp.where(counted, softplus(violation) if soft_margin else relu(violation), zeros))
        slope = xp.where(counted, xp.exp(violation - softplus(violation)) if soft_margin else zeros + 1, zeros)
        return value, -xp.sum(slope, axis=2), xp.sum(slope, axis=1), xp.sum(xp.astype(counted, xp.float32))

    return over_blocks(scores, positive, negative, on_block, MOST_TRIPLETS)


@dataclass(frozen=True)
class BatchAllTriplet(WithMargin):
    """batch_all of texts with a label."""

    kind: ClassVar[str] = "batch_all_triplet"
    soft_margin: bool = setting(False, "Softplus instead of the hinge.")

    def held_bytes(self, sizes: Sizes) -> int:
        return super().held_bytes(sizes) + 56 * min(MOST_TRIPLETS, sizes.rows**3)

    def on_labels(self, scores: Array, positive: Array, negative: Array) -> tuple[Array, Array, Array]:
        settings = {"margin": self.margin, "soft_margin": self.soft_margin}
        return batch_all(scores, positive, negative, **settings)
