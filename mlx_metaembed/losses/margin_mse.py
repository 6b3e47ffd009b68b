"""Margin-MSE: the difference of positive and negative scores, as a teacher has it. arXiv:2010.02666, section 3.2."""

from dataclasses import dataclass
from typing import ClassVar

from mlx_metaembed.losses.pairs import list_scores, mean_of
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.settings import SIMILARITIES, setting, unknown
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import Array


def margin_mse(near: Array, far: Array, teacher_near: Array, teacher_far: Array, counted: Array) -> Array:
    """The mean of ((near - far) - (the teacher's)) squared, near [B, 1], far and counted [B, N]."""
    wrong = (near - far) - (teacher_near - teacher_far)
    return mean_of(wrong * wrong, counted)


@dataclass(frozen=True)
class MarginMse:
    """margin_mse over each row's own negatives that count."""

    kind: ClassVar[str] = "margin_mse"
    roles: ClassVar[tuple[str, ...]] = ("anchor", "positive", "negative")
    optional: ClassVar[tuple[str, ...]] = ()
    targets: ClassVar[tuple[str, ...]] = ("positive_score", "negative_score")
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code", "sparse", "tokens")
    several: ClassVar[bool] = False
    similarity: str = setting(
        "dot", "How vectors score; a teacher's margins are seldom those of cosines.", SIMILARITIES
    )

    def faults(self) -> list[str]:
        return unknown(self, "similarity")

    def held_bytes(self, sizes: Sizes) -> int:
        return sizes.of_pairs()

    def __call__(self, sample: Sample) -> Array:
        teacher = (sample.targets["positive_score"][:, None], sample.targets["negative_score"])

        def value(sample: Sample) -> Array:
            return margin_mse(*list_scores(sample, self.similarity), *teacher, sample.own_negatives())

        return at_widths(value, sample)
