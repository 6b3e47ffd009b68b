"""What the losses over a batch's triplets share: an anchor, a positive of its label and a negative of another."""

from dataclasses import dataclass

from mlx_metaembed.losses.distances import DISTANCES, nearness
from mlx_metaembed.losses.labels import OfLabels
from mlx_metaembed.losses.sample import Sample
from mlx_metaembed.losses.scorers import Scorer
from mlx_metaembed.losses.settings import below_zero, setting, unknown

MOST_TRIPLETS = 1 << 20
"""Triplets that are held together, 4 MiB, and some copies of them."""


@dataclass(frozen=True)
class BatchTriplets(OfLabels):
    """Triplets by distance; those of sparse and token outputs by their scores."""

    distance: str = setting("cosine", "Distance of vectors.", tuple(DISTANCES))

    def faults(self) -> list[str]:
        return unknown(self, "distance")

    def scored(self, sample: Sample) -> Scorer:
        return nearness(sample.outputs["text"], self.distance)


@dataclass(frozen=True)
class WithMargin(BatchTriplets):
    """The same with a margin between the positive's distance and the negative's."""

    margin: float = setting(0.2, "In units of the distance.")

    def faults(self) -> list[str]:
        return [*super().faults(), *below_zero(self, "margin")]
