"""A guide of a batch: which candidates it takes for false negatives, by its own cosines, tile by tile.

R rows, C columns, T rows of a tile.
"""

from dataclasses import dataclass

from mlx_metaembed.losses.teaching import TaughtScores
from mlx_metaembed.xp import Array, namespace

ROUNDING = 1e-6
"""Cosines that differ by less are equal: a candidate as good as the positive stays on every engine."""


@dataclass(frozen=True)
class Guide:
    """A guide's cosines [R, C], and the largest [R, 1] that a negative of a row may have."""

    cosines: TaughtScores
    most: Array

    def allows(self, part: slice, scores: Array) -> Array:
        """Which candidates of a tile's rows are none of its false negatives, bool [T, C]; `scores` are the tile's."""
        return self.cosines.tile(part, scores) <= self.most[part] + ROUNDING


def most_near(own: Array, strategy: str, margin: float) -> Array:
    """The largest cosine of a negative, from the guide's of each row's own positive [R, 1]: less `margin`, or less
    that share of it."""
    return own - (margin if strategy == "absolute" else namespace(own).abs(own) * margin)
