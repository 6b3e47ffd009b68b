"""Similarity loss: the cosines of a batch's texts with one another as a teacher has them. arXiv:2412.19048."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mlx_metaembed.losses.held import tiles_bytes
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.scorers import Scorer, scorer
from mlx_metaembed.losses.teaching import TaughtScores, unit_vectors
from mlx_metaembed.losses.tiled import over_tiles
from mlx_metaembed.losses.tiles import TILE
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import Array, namespace


def similarity_distillation(given: Scorer, taught: Sequence[TaughtScores]) -> Array:
    """The mean of (a score - a teacher's cosine) squared over all pairs of texts and all teachers."""
    count = given.rows.shape[0] ** 2 * len(taught)

    def on_scores(part: slice, found: list[Array]) -> tuple[Array, list[Array]]:
        wrong = [found[0] - each.tile(part, found[0]) for each in taught]
        xp = namespace(found[0])
        # By rows: one sum of so many numbers would round too much.
        value = sum(xp.sum(xp.sum(each * each, axis=1)) for each in wrong)
        return value / count, [2 * sum(wrong) / count]

    return over_tiles([given], on_scores)


@dataclass(frozen=True)
class SimilarityDistillation:
    """similarity_distillation of the texts' vectors; the teachers' may have any width."""

    kind: ClassVar[str] = "similarity_distillation"
    roles: ClassVar[tuple[str, ...]] = ("text",)
    optional: ClassVar[tuple[str, ...]] = ()
    targets: ClassVar[tuple[str, ...]] = ("teacher.*",)
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code")
    several: ClassVar[bool] = False
    any_width: ClassVar[bool] = True
    least_rows: ClassVar[int] = 2

    def faults(self) -> list[str]:
        return []

    def held_bytes(self, sizes: Sizes) -> int:
        taught = 8 * sizes.rows * sizes.teacher_features + 12 * min(sizes.rows, TILE) * sizes.rows
        return tiles_bytes(sizes) + taught

    def __call__(self, sample: Sample) -> Array:
        taught = [TaughtScores(x, x) for x in unit_vectors(sample, "text")]

        def value(cut: Sample) -> Array:
            return similarity_distillation(scorer(cut.outputs["text"], [cut.outputs["text"]]), taught)

        # The teachers' vectors stay whole at all widths of the model's.
        return at_widths(value, sample)
