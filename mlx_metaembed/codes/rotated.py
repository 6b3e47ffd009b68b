"""Some bits for every component after a random rotation, Lloyd-Max's levels, and a scale a vector that makes the score
unbiased (EDEN, arXiv:2108.08842): what rotation alone gives, without a look at the spectrum.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlx_metaembed.codes import binary, bit_planes, lloyd, rotation
from mlx_metaembed.codes.codec import Codec, Told, silent
from mlx_metaembed.codes.rabitq import mean_of, rotated_shapes
from mlx_metaembed.codes.scalar import SCALE, read_scale, stored_scale


@dataclass(frozen=True, eq=False)
class Rotated(Codec):
    """`bits` of a component; the scale is |r|^2 / <r^, r> of the difference r to the mean."""

    bits: int
    mean: np.ndarray
    rotation: np.ndarray
    kind = "rotated"
    about = "some bits of all components after a random rotation, a scale a vector"
    has_length = True

    @classmethod
    def span(cls, dimensions: int) -> tuple[int, int]:
        one = binary.bytes_per_vector(dimensions)
        return one + SCALE, lloyd.MOST_BITS * one + SCALE

    @classmethod
    def fit(cls, sample: np.ndarray, size: int, *, seed: int = 0, told: Told = silent, **work: Any) -> "Rotated":
        width = sample.shape[1]
        bits = min((size - SCALE) // binary.bytes_per_vector(width), lloyd.MOST_BITS)
        return cls(width, bits, mean_of(sample), rotation.drawn(width, seed))

    @property
    def bytes_per_vector(self) -> int:
        return self.bits * binary.bytes_per_vector(self.dimensions) + SCALE

    def shapes(self) -> dict[str, tuple[int, ...]]:
        if not 1 <= self.bits <= lloyd.MOST_BITS:
            raise ValueError(f"bits = {self.bits}, expected 1 to {lloyd.MOST_BITS}")
        return rotated_shapes(self.dimensions, self.rotation)

    @property
    def _levels(self) -> np.ndarray:
        return np.array(lloyd.normal(self.bits)[0], np.float32)

    def _encoded(self, vectors: np.ndarray) -> np.ndarray:
        turned = (vectors - self.mean) @ self.rotation
        squares = np.sum(turned * turned, axis=1)
        lengths = np.sqrt(np.where(squares > 0, squares, 1) / self.dimensions)[:, None]
        digits = np.searchsorted(lloyd.middles(self._levels), turned / lengths).astype(np.uint8)
        found = np.sum(turned * self._levels[digits], axis=1)
        # A vector that is the mean has nothing to restore.
        scale = stored_scale(squares, np.where(squares > 0, found, 1))
        return np.concatenate([bit_planes.pack(digits, self.bits), scale], axis=1)

    def _turned(self, codes: np.ndarray) -> np.ndarray:
        """The rotated differences [N, D] that codes stand for."""
        digits = bit_planes.unpack(codes[:, :-SCALE], self.bits, self.dimensions)
        return self._levels[digits] * read_scale(codes[:, -SCALE:])

    def _decoded(self, codes: np.ndarray) -> np.ndarray:
        return self.mean + self._turned(codes) @ self.rotation.T

    def _asked(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return queries @ self.rotation, (queries @ self.mean)[:, None]

    def _scored(self, asked: tuple[np.ndarray, np.ndarray], codes: np.ndarray) -> np.ndarray:
        return asked[0] @ self._turned(codes).T + asked[1]
