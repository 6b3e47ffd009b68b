"""Cross entropy of labels: a classification head's scores against the class of each text."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mlx_metaembed.losses.pairs import mean_of
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.xp import Array, constant, logsumexp, namespace


def cross_entropy(scores: Array, labels: Array) -> Array:
    """-log softmax(scores [B, classes]) at labels int [B], averaged over the rows; labels below 0 are left out."""
    xp = namespace(scores)
    is_label = labels[:, None] == constant(np.arange(scores.shape[1], dtype=np.int32)[None], scores)
    own = xp.sum(xp.where(is_label, scores, xp.zeros_like(scores)), axis=1)
    return mean_of(logsumexp(scores, axis=1) - own, labels >= 0)


@dataclass(frozen=True)
class CrossEntropy:
    """cross_entropy of the scores of `text`."""

    kind: ClassVar[str] = "cross_entropy"
    roles: ClassVar[tuple[str, ...]] = ("text",)
    optional: ClassVar[tuple[str, ...]] = ()
    targets: ClassVar[tuple[str, ...]] = ("label",)
    accepts: ClassVar[tuple[str, ...]] = ("scores",)
    several: ClassVar[bool] = False

    def faults(self) -> list[str]:
        return []

    def held_bytes(self, sizes: Sizes) -> int:
        return 24 * sizes.rows * sizes.features

    def __call__(self, sample: Sample) -> Array:
        return cross_entropy(sample.outputs["text"].values, sample.targets["label"])
