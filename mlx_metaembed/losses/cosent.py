"""CoSENT: pairs with a higher score of the label should have a higher cosine."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mlx_metaembed.losses.pairs import pair_scores
from mlx_metaembed.losses.row_faults import order_faults
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.settings import not_above_zero, setting, similarity, unknown
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import Array, constant, logsumexp, masked, namespace


def cosent(scores: Array, labels: Array, *, scale: float = 20.0) -> Array:
    """log(1 + sum of exp(scale * (scores[j] - scores[i]))) over the pairs where labels[i] > labels[j], both [B].

    As sentence-transformers' CoSENTLoss; equal labels say nothing.
    """
    xp = namespace(scores)
    differences = scale * (scores[:, None] - scores[None, :])
    kept = masked(differences, labels[:, None] < labels[None, :]).reshape(-1)
    return logsumexp(xp.concatenate([constant(np.zeros(1, np.float32), scores), kept], axis=0), axis=0)


@dataclass(frozen=True)
class CoSent:
    """cosent on the scores of sentence1 with sentence2."""

    kind: ClassVar[str] = "cosent"
    roles: ClassVar[tuple[str, ...]] = ("sentence1", "sentence2")
    optional: ClassVar[tuple[str, ...]] = ()
    targets: ClassVar[tuple[str, ...]] = ("score",)
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code", "sparse", "tokens")
    several: ClassVar[bool] = False
    least_rows: ClassVar[int] = 2
    row_faults: ClassVar = staticmethod(order_faults)
    scale: float = setting(20.0, "Scores are multiplied by it.")
    similarity: str = similarity()

    def faults(self) -> list[str]:
        return not_above_zero(self, "scale") + unknown(self, "similarity")

    def held_bytes(self, sizes: Sizes) -> int:
        return sizes.of_pairs() + 16 * sizes.rows * sizes.rows

    def __call__(self, sample: Sample) -> Array:
        def value(sample: Sample) -> Array:
            return cosent(pair_scores(sample, self.similarity), sample.targets["score"], scale=self.scale)

        return at_widths(value, sample)
