"""Mega-batch margin loss: each anchor's positive above one margin, its hardest negative of the batch below another."""

from dataclasses import dataclass
from typing import ClassVar

from mlx_metaembed.losses.held import tiles_bytes
from mlx_metaembed.losses.in_batch import candidates
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.scorers import Scorer, scorer
from mlx_metaembed.losses.settings import not_finite, setting, similarity, unknown
from mlx_metaembed.losses.tiled import over_tiles
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import Array, masked, namespace, relu


def mega_batch_margin(given: Scorer, mask: Array, *, positive_margin: float, negative_margin: float) -> Array:
    """The mean of relu(positive_margin - own score) + relu(the hardest candidate's - negative_margin).

    `mask` bool [R, C]; row i's own column is i. ParaNMT-50M (aclanthology P18-1042), section 5."""

    def on_scores(part: slice, found: list[Array]) -> tuple[Array, list[Array]]:
        xp = namespace(found[0])
        counted, is_own = candidates(part, found[0], mask[part])
        own, others = xp.astype(is_own, xp.float32), masked(found[0], counted & ~is_own)
        hardest = xp.max(others, axis=1, keepdims=True)
        near, far = positive_margin - xp.sum(found[0] * own, axis=1, keepdims=True), hardest - negative_margin
        best, below, above = (xp.astype(each, xp.float32) for each in (others == hardest, near > 0, far > 0))
        best = best / xp.sum(best, axis=1, keepdims=True) * above
        return xp.sum(relu(near) + relu(far)) / len(given.rows), [(best - own * below) / len(given.rows)]

    return over_tiles([given], on_scores)


@dataclass(frozen=True)
class MegaBatchMargin:
    """mega_batch_margin among all positives and negatives; sentence-transformers' MegaBatchMarginLoss."""

    kind: ClassVar[str] = "mega_batch_margin"
    roles: ClassVar[tuple[str, ...]] = ("anchor", "positive")
    optional: ClassVar[tuple[str, ...]] = ("negative",)
    targets: ClassVar[tuple[str, ...]] = ()
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code", "sparse", "tokens")
    several: ClassVar[bool] = False
    least_rows: ClassVar[int] = 2
    positive_margin: float = setting(0.8, "A positive's score should be above it.")
    negative_margin: float = setting(0.3, "The hardest negative's score should be below it.")
    similarity: str = similarity()

    def faults(self) -> list[str]:
        return not_finite(self, "positive_margin", "negative_margin") + unknown(self, "similarity")

    def held_bytes(self, sizes: Sizes) -> int:
        return tiles_bytes(sizes)

    def __call__(self, sample: Sample) -> Array:
        return at_widths(self._of_sample, sample)

    def _of_sample(self, sample: Sample) -> Array:
        given = scorer(sample.outputs["anchor"], sample.documents(), self.similarity)
        margins = {"positive_margin": self.positive_margin, "negative_margin": self.negative_margin}
        return mega_batch_margin(given, sample.candidates(), **margins)
