"""FLOPS: what sparse vectors cost a search, as a penalty. arXiv:2004.05665, section 3; arXiv:2109.10086."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mlx_metaembed.heads.output import WordOutput
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.scorers import matrices
from mlx_metaembed.xp import Array, constant, namespace


def flops(weights: Array) -> Array:
    """The sum over words of (the mean weight over the texts) squared, of weights [n, V]."""
    xp = namespace(weights)
    mean = xp.mean(weights, axis=0)
    return xp.sum(mean * mean)


@dataclass(frozen=True)
class Flops:
    """flops of the texts of all roles together; words that no text of the batch has add nothing."""

    kind: ClassVar[str] = "flops"
    roles: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ("anchor", "positive", "negative", "sentence1", "sentence2", "text")
    targets: ClassVar[tuple[str, ...]] = ()
    accepts: ClassVar[tuple[str, ...]] = ("sparse",)
    several: ClassVar[bool] = False

    def faults(self) -> list[str]:
        return []

    def held_bytes(self, sizes: Sizes) -> int:
        return 8 * (sizes.rows + sizes.candidates) * sizes.words

    def __call__(self, sample: Sample) -> Array:
        outputs = list(sample.outputs.values())
        if isinstance(outputs[0], WordOutput):
            return _of_products(outputs[0].products, np.concatenate([each.rows for each in outputs]))
        given = matrices(outputs)
        return flops(namespace(given[0]).concatenate(given, axis=0))


def _of_products(products: Array, rows: np.ndarray) -> Array:
    """The mean of the dot products [n, n] of all texts `rows` with one another: flops, summed over the words first."""
    shares = np.bincount(rows, minlength=products.shape[0]) / len(rows)
    shares = constant(shares[:, None].astype(np.float32), products)
    xp = namespace(products)
    return xp.sum(shares * xp.matmul(products, shares))
