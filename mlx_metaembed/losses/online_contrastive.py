"""Online contrastive loss: contrastive loss of the batch's hard pairs alone."""

from dataclasses import dataclass
from typing import ClassVar

from mlx_metaembed.losses.contrastive import Contrastive
from mlx_metaembed.losses.pairs import mean_of, pair_distances
from mlx_metaembed.losses.sample import Sample
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import Array, masked, namespace, relu, stop_gradient


def online_contrastive(distances: Array, labels: Array, *, margin: float = 0.5) -> Array:
    """The sum of d^2 over hard positives and of relu(margin - d)^2 over hard negatives, distances and labels [B].

    A positive (label 1) is hard where it is farther than the nearest negative, a negative (0) where it is nearer than
    the farthest positive; without any of the other kind, those beyond the mean of their own. sentence-transformers'
    OnlineContrastiveLoss.
    """
    xp = namespace(distances)
    fixed, near, far = stop_gradient(distances), labels == 1, labels == 0
    farthest = _or_mean(xp.max(masked(fixed, near), axis=0), near, fixed, far)
    nearest = _or_mean(-xp.max(masked(-fixed, far), axis=0), far, fixed, near)
    apart = relu(margin - distances)
    of_near = xp.where(near & (fixed > nearest), distances * distances, xp.zeros_like(distances))
    of_far = xp.where(far & (fixed < farthest), apart * apart, xp.zeros_like(distances))
    return xp.sum(of_near) + xp.sum(of_far)


def _or_mean(found: Array, there: Array, distances: Array, others: Array) -> Array:
    """`found` of the pairs `there`; where there is none, the mean distance of the others."""
    xp = namespace(distances)
    return xp.where(xp.sum(xp.astype(there, xp.float32)) > 0, found, mean_of(distances, others))


@dataclass(frozen=True)
class OnlineContrastive(Contrastive):
    """online_contrastive of sentence1 and sentence2, whose score is 1 or 0; often better than contrastive."""

    kind: ClassVar[str] = "online_contrastive"

    def __call__(self, sample: Sample) -> Array:
        def value(sample: Sample) -> Array:
            of, labels = pair_distances(sample, self.distance), sample.targets["score"]
            return online_contrastive(of, labels, margin=self.margin)

        return at_widths(value, sample)
