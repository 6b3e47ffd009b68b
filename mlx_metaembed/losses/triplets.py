"""Triplets of any head: each row's own negatives further from its anchor than its positive."""

from dataclasses import dataclass
from typing import ClassVar

from mlx_metaembed.losses.distances import DISTANCES
from mlx_metaembed.losses.pairs import list_scores, mean_of
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.settings import below_zero, setting, unknown
from mlx_metaembed.losses.triplet_of_vectors import triplet
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import Array, relu, softplus


@dataclass(frozen=True)
class Triplet:
    """triplet of vectors; of sparse and token outputs by their scores, where the distance is the score's opposite."""

    kind: ClassVar[str] = "triplet"
    roles: ClassVar[tuple[str, ...]] = ("anchor", "positive", "negative")
    optional: ClassVar[tuple[str, ...]] = ()
    targets: ClassVar[tuple[str, ...]] = ()
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code", "sparse", "tokens")
    several: ClassVar[bool] = False
    distance: str = setting("cosine", "Distance of vectors.", tuple(DISTANCES))
    margin: float = setting(0.2, "In units of the distance.")
    soft_margin: bool = setting(False, "Softplus instead of the hinge.")

    def faults(self) -> list[str]:
        return unknown(self, "distance") + below_zero(self, "margin")

    def held_bytes(self, sizes: Sizes) -> int:
        return sizes.of_pairs()

    def __call__(self, sample: Sample) -> Array:
        def value(sample: Sample) -> Array:
            if sample.outputs["anchor"].gives not in ("vector", "code"):
                near, far = list_scores(sample, "dot")
                violation = far - near + self.margin
                return mean_of(softplus(violation) if self.soft_margin else relu(violation), sample.own_negatives())
            given = [sample.outputs[role].values for role in ("anchor", "positive")]
            settings = {name: getattr(self, name) for name in ("distance", "margin", "soft_margin")}
            return triplet(*given, sample.shaped_negatives(), sample.candidates(), **settings)

        return at_widths(value, sample)
