"""Mean squared error of scores: of a pair's cosine, or of what a head says of a text."""

from dataclasses import dataclass
from typing import ClassVar

from mlx_metaembed.losses.pairs import pair_scores
from mlx_metaembed.losses.row_faults import Targets, alike_faults, cosine_faults
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.settings import similarity, unknown
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import Array, namespace


def mse(found: Array, target: Array) -> Array:
    """The mean of (found - target) squared, both of one shape."""
    xp = namespace(found)
    return xp.mean((found - target) * (found - target))


@dataclass(frozen=True)
class Mse:
    """Where the head gives scores [B, D], those of `text` against the targets; else a pair's own score [B]."""

    kind: ClassVar[str] = "mse"
    roles: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ("sentence1", "sentence2", "text")
    targets: ClassVar[tuple[str, ...]] = ("score",)
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code", "sparse", "tokens", "scores")
    several: ClassVar[bool] = False
    similarity: str = similarity()

    def faults(self) -> list[str]:
        return unknown(self, "similarity")

    def score_faults(self, targets: Targets, gives: str) -> list[str]:
        is_cosine = gives in ("vector", "code") and self.similarity == "cosine"
        return cosine_faults(targets) if is_cosine else alike_faults(targets)

    def held_bytes(self, sizes: Sizes) -> int:
        return sizes.of_pairs()

    def __call__(self, sample: Sample) -> Array:
        target = sample.targets["score"]
        if "text" in sample.outputs:
            found = sample.outputs["text"].values
            return mse(found.reshape(target.shape), target)
        return at_widths(lambda sample: mse(pair_scores(sample, self.similarity), target), sample)
