"""Losses on the labels of texts: texts of one label are alike, over all pairs of a batch's texts, tile by tile.

T texts of a tile, B of the batch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mlx_metaembed.losses.held import tiles_bytes
from mlx_metaembed.losses.row_faults import alone, label_faults
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.scorers import Scorer
from mlx_metaembed.losses.tiled import over_tiles
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import Array, constant, namespace

OnLabels = Callable[[Array, Array, Array], tuple[Array, Array, Array]]
"""Scores [T, B] of a tile, and which texts are positives and negatives, to a sum, its gradient at the scores, and how
many terms it has."""


def over_labels(given: Scorer, labels: Array, on_labels: OnLabels) -> Array:
    """The mean of all tiles' terms, 0 where there is none, of texts with labels int32 [B]; those below 0 count not."""
    counts: list[Array] = []

    def on_scores(part: slice, found: list[Array]) -> tuple[Array, list[Array]]:
        mine, others = labels[part][:, None], labels[None, :]
        numbers = np.arange(found[0].shape[1], dtype=np.int32)
        other = constant(numbers[part, None] != numbers[None, :], found[0])
        known = (mine >= 0) & (others >= 0)
        value, at, count = on_labels(found[0], known & (mine == others) & other, known & (mine != others))
        counts.append(count)
        return value, [at]

    total = over_tiles([given], on_scores)
    xp, count = namespace(total), sum(counts[1:], counts[0])
    return total / xp.where(count > 0, count, count + 1)


@dataclass(frozen=True)
class OfLabels:
    """What all losses of texts with a label have in common; `scored` and `on_labels` are a loss's own."""

    roles: ClassVar[tuple[str, ...]] = ("text",)
    optional: ClassVar[tuple[str, ...]] = ()
    targets: ClassVar[tuple[str, ...]] = ("label",)
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code", "sparse", "tokens")
    several: ClassVar[bool] = False
    least_rows: ClassVar[int] = 4
    """Two texts of a label, or the three that a label has, and one of another."""
    row_faults: ClassVar = staticmethod(label_faults)
    row_note: ClassVar = staticmethod(alone)

    def held_bytes(self, sizes: Sizes) -> int:
        return tiles_bytes(sizes)

    def __call__(self, sample: Sample) -> Array:
        def value(sample: Sample) -> Array:
            return over_labels(self.scored(sample), sample.targets["label"], self.on_labels)

        return at_widths(value, sample)
