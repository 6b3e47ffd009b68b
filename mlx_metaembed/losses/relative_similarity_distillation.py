"""Relative similarity distillation: which of two pairs of texts is nearer, as a teacher has it. arXiv:2412.19048."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from mlx_metaembed.losses.pairs_of_pairs import MOST, hinge
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.settings import below_zero, setting
from mlx_metaembed.losses.teaching import unit_vectors
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import Array, constant, namespace, normalize


def pair_cosines(vectors: Array) -> Array:
    """The cosines [n (n - 1) / 2] of every two of vectors [n, D] of length 1: 0 with 1, 0 with 2, ..., 1 with 2, ..."""
    xp, count = namespace(vectors), vectors.shape[0]
    rows, columns = np.triu_indices(count, 1)
    pairs = constant((rows * count + columns).astype(np.int32), vectors)
    return xp.take(xp.matmul(vectors, vectors.T).reshape(-1), pairs, axis=0)


@dataclass(frozen=True)
class RelativeSimilarityDistillation:
    """The hinge over pairs of pairs, averaged over the teachers, whose vectors may have any width.

    The work grows with the fourth power of the texts that are compared: of a larger batch at most `group_size` are
    together, in even groups, and the loss is the mean over these.
    """

    kind: ClassVar[str] = "relative_similarity_distillation"
    roles: ClassVar[tuple[str, ...]] = ("text",)
    optional: ClassVar[tuple[str, ...]] = ()
    targets: ClassVar[tuple[str, ...]] = ("teacher.*",)
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code")
    several: ClassVar[bool] = False
    any_width: ClassVar[bool] = True
    least_rows: ClassVar[int] = 3
    """Two pairs."""
    margin: float = setting(0.015, "How much higher the nearer pair's cosine should be.")
    group_size: int = setting(128, "Texts that are compared with one another at most.")

    def faults(self) -> list[str]:
        least = [] if self.group_size >= 3 else [f"group_size = {self.group_size}: expected 3 or more, two pairs"]
        return below_zero(self, "margin") + least

    def held_bytes(self, sizes: Sizes) -> int:
        texts = min(sizes.rows, self.group_size)
        pairs = texts * (texts - 1) // 2
        vectors = 16 * sizes.rows * (sizes.features + sizes.teacher_features)
        return vectors + 24 * (texts**2 + pairs) + 130 * min(MOST, max(pairs, 1) ** 2)

    def __call__(self, sample: Sample) -> Array:
        taught = unit_vectors(sample, "text")

        def value(cut: Sample) -> Array:
            vectors = normalize(cut.outputs["text"].values)
            found = []
            for part in groups(vectors.shape[0], self.group_size):
                own = pair_cosines(vectors[part])
                found += [hinge(own, pair_cosines(each[part]), self.margin) for each in taught]
            return sum(found[1:], found[0]) / len(found)

        # The teachers' vectors stay whole at all widths of the model's.
        return at_widths(value, sample)


def groups(count: int, most: int) -> list[slice]:
    """Parts of so many texts, as even as can be, of `most` at most."""
    parts = -(-count // most)
    ends = [count * at // parts for at in range(parts + 1)]
    return [slice(low, high) for low, high in pairwise(ends)]
