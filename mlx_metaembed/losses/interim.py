"""Losses with their settings, as an objective calls them."""

from dataclasses import dataclass
from typing import ClassVar

from mlx_metaembed.losses.contrastive import info_nce
from mlx_metaembed.losses.sample import Sample
from mlx_metaembed.losses.triplets import triplet
from mlx_metaembed.losses.widths import matryoshka
from mlx_metaembed.xp import Array


def columns(sample: Sample):
    anchors, positives = (sample.outputs[role].values for role in ("anchor", "positive"))
    negatives = sample.outputs.get("negative")
    if negatives is not None:
        negatives = negatives.values.reshape(anchors.shape[0], -1, anchors.shape[-1])
    return anchors, positives, negatives, sample.mask


@dataclass(frozen=True)
class InfoNce:
    accepts: ClassVar = ("vector", "code", "tokens", "sparse")
    roles: ClassVar = ("anchor", "positive")
    optional: ClassVar = ("negative",)
    targets: ClassVar = ()
    temperature: float = 0.05
    symmetric: bool = False
    false_negative_margin: float | None = None
    false_negative_ratio: float | None = None

    def faults(self):
        return []

    def __call__(self, sample: Sample) -> Array:
        return info_nce(*columns(sample), **vars(self), widths=sample.widths, weights=sample.weights)


@dataclass(frozen=True)
class Triplet:
    accepts: ClassVar = ("vector", "code", "tokens", "sparse")
    roles: ClassVar = ("anchor", "positive", "negative")
    optional: ClassVar = ()
    targets: ClassVar = ()
    distance: str = "cosine"
    margin: float = 0.2
    soft_margin: bool = False

    def faults(self):
        return []

    def __call__(self, sample: Sample) -> Array:
        def loss(*given):
            return triplet(*given, **vars(self))

        whole = matryoshka(loss, sample.widths, sample.weights) if sample.widths else loss
        return whole(*columns(sample))


LOSSES = {"info_nce": InfoNce, "triplet": Triplet}
