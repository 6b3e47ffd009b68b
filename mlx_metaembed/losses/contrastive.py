"""Contrastive loss: pairs with the label 1 near each other, those with 0 apart by a margin."""

from dataclasses import dataclass
from typing import ClassVar

from mlx_metaembed.losses.distances import DISTANCES
from mlx_metaembed.losses.pairs import pair_distances
from mlx_metaembed.losses.row_faults import binary_faults
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.settings import not_above_zero, setting, unknown
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import Array, namespace, relu


def contrastive(distances: Array, labels: Array, *, margin: float = 0.5) -> Array:
    """The mean of (label * d^2 + (1 - label) * relu(margin - d)^2) / 2, distances and labels (1 or 0) [B].

    Hadsell, Chopra and LeCun 2006 (doi:10.1109/CVPR.2006.100), section 2.1; sentence-transformers' ContrastiveLoss.
    """
    xp = namespace(distances)
    apart = relu(margin - distances)
    return xp.mean(labels * distances * distances + (1 - labels) * apart * apart) / 2


@dataclass(frozen=True)
class Contrastive:
    """contrastive of sentence1 and sentence2, whose score is 1 or 0."""

    kind: ClassVar[str] = "contrastive"
    roles: ClassVar[tuple[str, ...]] = ("sentence1", "sentence2")
    optional: ClassVar[tuple[str, ...]] = ()
    targets: ClassVar[tuple[str, ...]] = ("score",)
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code")
    several: ClassVar[bool] = False
    row_faults: ClassVar = staticmethod(binary_faults)
    distance: str = setting("cosine", "Distance of vectors.", tuple(DISTANCES))
    margin: float = setting(0.5, "How far apart pairs with the label 0 are to be, in units of the distance.")

    def faults(self) -> list[str]:
        return unknown(self, "distance") + not_above_zero(self, "margin")

    def held_bytes(self, sizes: Sizes) -> int:
        return sizes.of_pairs()

    def __call__(self, sample: Sample) -> Array:
        def value(sample: Sample) -> Array:
            return contrastive(pair_distances(sample, self.distance), sample.targets["score"], margin=self.margin)

        return at_widths(value, sample)
