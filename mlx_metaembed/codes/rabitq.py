"""RaBitQ: the signs of a vector's rotated difference to the mean, a factor that makes its score unbiased, and a bound.

`<q, x> ~ <q, mean> + factor * <P q, signs / 2>`, and the error stays under `epsilon * margin * |q|` for 94 % of vectors
at epsilon 1.9, so that a search may stop restoring candidates once none can still get in (arXiv:2405.12497). No data is
needed but for the mean.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlx_metaembed.codes import binary, rotation
from mlx_metaembed.codes.codec import Codec, Told, blocks, silent

EPSILON = 1.9
NUMBERS = 4
"""Bytes of the factor and the margin, two float16."""


@dataclass(frozen=True, eq=False)
class RaBitQ(Codec):
    """`mean` [D] and `rotation` [D, D]; a code is D bits, its factor and its margin."""

    mean: np.ndarray
    rotation: np.ndarray
    kind = "rabitq"
    about = "signs after a random rotation, a factor and an error bound a vector"
    has_length = True

    @classmethod
    def span(cls, dimensions: int) -> tuple[int, int]:
        size = binary.bytes_per_vector(dimensions) + NUMBERS
        return size, size

    @classmethod
    def fit(cls, sample: np.ndarray, size: int, *, seed: int = 0, told: Told = silent, **work: Any) -> "RaBitQ":
        return cls(sample.shape[1], mean_of(sample), rotation.drawn(sample.shape[1], seed))

    @property
    def bytes_per_vector(self) -> int:
        return self.span(self.dimensions)[0]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return rotated_shapes(self.dimensions, self.rotation)

    def bound(self, queries: np.ndarray, codes: np.ndarray, epsilon: float = EPSILON) -> np.ndarray:
        """How far each score may be from the true one, float32 [Q, N]."""
        lengths = np.linalg.norm(queries, axis=1).astype(np.float32)
        return epsilon * lengths[:, None] * self._numbers(codes)[:, 1]

    def _encoded(self, vectors: np.ndarray) -> np.ndarray:
        turned = (vectors - self.mean) @ self.rotation
        squares, sums = np.sum(turned * turned, axis=1), np.sum(np.abs(turned), axis=1) / 2
        there = sums > 0
        factor = np.where(there, squares / np.where(there, sums, 1), 0)
        # The cosine between the difference and its signs is sums / (sqrt(squares) sqrt(D) / 2).
        cosine = np.where(there, 4 * sums**2 / np.where(there, squares, 1) / self.dimensions, 1)
        margin = np.sqrt(squares * np.maximum(1 / cosine - 1, 0) / max(self.dimensions - 1, 1))
        numbers = np.minimum(np.stack([factor, margin], axis=1), 65504).astype("<f2").view(np.uint8)
        return np.concatenate([binary.pack(turned), numbers], axis=1)

    def _numbers(self, codes: np.ndarray) -> np.ndarray:
        """The factor and the margin of each code, float32 [N, 2]."""
        return np.ascontiguousarray(codes[:, -NUMBERS:]).view("<f2").astype(np.float32)

    def _decoded(self, codes: np.ndarray) -> np.ndarray:
        signs = binary.signs(np.ascontiguousarray(codes[:, :-NUMBERS]), self.dimensions)
        return self.mean + (signs * (self._numbers(codes)[:, :1] / 2)) @ self.rotation.T

    def _asked(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return queries @ self.rotation / 2, (queries @ self.mean)[:, None]

    def _scored(self, asked: tuple[np.ndarray, np.ndarray], codes: np.ndarray) -> np.ndarray:
        signs = np.ascontiguousarray(codes[:, :-NUMBERS])
        return binary.sign_scores(asked[0], signs) * self._numbers(codes)[:, 0] + asked[1]


def mean_of(sample: np.ndarray) -> np.ndarray:
    """The mean float32 [D] of a sample [n, D]."""
    total = sum(np.sum(sample[rows], axis=0, dtype=np.float64) for rows in blocks(len(sample)))
    return (total / len(sample)).astype(np.float32)


def rotated_shapes(dimensions: int, turn: np.ndarray) -> dict[str, tuple[int, ...]]:
    """The shapes of a mean and a rotation. Raises ValueError for a square matrix that is no rotation."""
    if turn.shape == (dimensions, dimensions) and (wrong := rotation.faults(turn)):
        raise ValueError(wrong)
    return {"mean": (dimensions,), "rotation": (dimensions, dimensions)}
