"""Principal components at as many bits as their variance is worth, and one scale a vector: the code from 24 bytes on.

Components stand in blocks of 8 that share a number of bits, so that a block of b bits is b bytes; bits are spent by
reverse water-filling, the next byte always where it lowers the error most. A level is Lloyd-Max's. The scale makes the
score of the kept part unbiased: |z|^2 / <z^, z> (as RaBitQ's factor, arXiv:2405.12497), a float16.
K components kept of D.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlx_metaembed.codes import bit_planes, lloyd, pca
from mlx_metaembed.codes.codec import Codec, Told, blocks, silent

WIDTH = 8
"""Components of a block."""
SCALE = 2
"""Bytes of a float16."""
FITTED = 65_536
"""Rows to which levels are fitted; more change nothing."""


@dataclass(frozen=True, eq=False)
class Unscaled(Codec):
    """`bits` of each block of components; `levels` of each block one after another, in standard deviations."""

    bits: tuple[int, ...]
    mean: np.ndarray
    components: np.ndarray
    deviations: np.ndarray
    levels: np.ndarray
    kind = "scalar-unscaled"
    about = "principal components, bits by variance, no scale"
    extra = 0

    @classmethod
    def span(cls, dimensions: int) -> tuple[int, int]:
        return 1 + cls.extra, -(-dimensions // WIDTH) * lloyd.MOST_BITS + cls.extra

    @classmethod
    def fit(cls, sample: np.ndarray, size: int, *, seed: int = 0, told: Told = silent, **work: Any) -> "Unscaled":
        mean, components, variances = pca.fitted(sample)
        told(0.5)
        bits = allocated(variances, size - cls.extra)
        kept = min(WIDTH * len(bits), int(np.sum(variances > 0)))
        bits = bits[: -(-kept // WIDTH)]
        components, deviations = components[:, :kept].astype(np.float32), np.sqrt(variances[:kept]).astype(np.float32)
        rows = np.sort(np.random.default_rng(seed).permutation(len(sample))[:FITTED])
        parts = [(sample[rows[part]] - mean.astype(np.float32)) @ components / deviations for part in blocks(len(rows))]
        values = np.concatenate(parts)
        levels = []
        for at, count in enumerate(bits):
            levels.append(lloyd.refitted(values[:, WIDTH * at : WIDTH * (at + 1)], np.array(lloyd.normal(count)[0])))
            told(0.5 + 0.5 * (at + 1) / len(bits))
        flat = np.concatenate(levels).astype(np.float32)
        return cls(sample.shape[1], bits, mean.astype(np.float32), components, deviations, flat)

    @property
    def bytes_per_vector(self) -> int:
        return sum(self.bits) + self.extra

    def shapes(self) -> dict[str, tuple[int, ...]]:
        if not self.bits or not all(1 <= count <= lloyd.MOST_BITS for count in self.bits):
            raise ValueError(f"bits = {self.bits!r:.80}, expected 1 to {lloyd.MOST_BITS} a block")
        kept = len(self.deviations)
        if self.deviations.ndim != 1 or -(-kept // WIDTH) != len(self.bits) or kept > self.dimensions:
            raise ValueError(f"{kept} components do not make {len(self.bits)} blocks of {WIDTH}")
        levels = sum(2**count for count in self.bits)
        return {
            "mean": (self.dimensions,),
            "components": (self.dimensions, kept),
            "deviations": (kept,),
            "levels": (levels,),
        }

    def _encoded(self, vectors: np.ndarray) -> np.ndarray:
        kept = (vectors - self.mean) @ self.components
        values, packed = kept / self.deviations, []
        for columns, levels in self._blocks():
            digits = np.searchsorted(lloyd.middles(levels), values[:, columns]).astype(np.uint8)
            packed.append(bit_planes.pack(digits, len(levels).bit_length() - 1))
        return np.concatenate(packed, axis=1)

    def _kept(self, codes: np.ndarray) -> np.ndarray:
        """The kept components [N, K] that codes stand for, without the scale."""
        found, at = np.empty((len(codes), len(self.deviations)), np.float32), 0
        for columns, levels in self._blocks():
            bits = len(levels).bit_length() - 1
            digits = bit_planes.unpack(codes[:, at : at + bits], bits, columns.stop - columns.start)
            at += bits
            found[:, columns] = levels[digits]
        return found * self.deviations

    def _blocks(self) -> "list[tuple[slice, np.ndarray]]":
        """The columns and the levels of each block."""
        found, first = [], 0
        for at, count in enumerate(self.bits):
            columns = slice(WIDTH * at, min(WIDTH * (at + 1), len(self.deviations)))
            found.append((columns, self.levels[first : first + 2**count]))
            first += 2**count
        return found

    def _decoded(self, codes: np.ndarray) -> np.ndarray:
        return self.mean + self._kept(codes) @ self.components.T

    def _asked(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return queries @ self.components, (queries @ self.mean)[:, None]

    def _scored(self, asked: tuple[np.ndarray, np.ndarray], codes: np.ndarray) -> np.ndarray:
        return asked[0] @ self._kept(codes).T + asked[1]


@dataclass(frozen=True, eq=False)
class Scalar(Unscaled):
    """The same with a scale, its last two bytes."""

    kind = "scalar"
    about = "principal components, bits by variance, a scale a vector"
    extra = SCALE

    def _encoded(self, vectors: np.ndarray) -> np.ndarray:
        codes = super()._encoded(vectors)
        kept, found = (vectors - self.mean) @ self.components, super()._kept(codes)
        return np.concatenate([codes, stored_scale(np.sum(kept * kept, axis=1), np.sum(kept * found, axis=1))], axis=1)

    def _kept(self, codes: np.ndarray) -> np.ndarray:
        return super()._kept(codes) * read_scale(codes[:, -SCALE:])


def stored_scale(wanted: np.ndarray, found: np.ndarray) -> np.ndarray:
    """`wanted / found` [N] as the bytes uint8 [N, 2] of a float16, 1 where `found` is not above 0."""
    ratio = np.where(found > 0, wanted / np.where(found > 0, found, 1), 1)
    return np.minimum(ratio, np.finfo(np.float16).max).astype("<f2")[:, None].view(np.uint8)


def read_scale(codes: np.ndarray) -> np.ndarray:
    """The scales float32 [N, 1] of bytes uint8 [N, 2]."""
    return np.ascontiguousarray(codes).view("<f2").astype(np.float32)


def allocated(variances: np.ndarray, size: int) -> tuple[int, ...]:
    """Bits of each block of 8 components, those of the first blocks with any, for `size` bytes; variances [D] fall."""
    errors = [lloyd.normal(bits)[1] for bits in range(lloyd.MOST_BITS + 1)]
    gains = [errors[bits] - errors[bits + 1] for bits in range(lloyd.MOST_BITS)]
    held = np.add.reduceat(variances, np.arange(0, len(variances), WIDTH))
    bits = np.zeros(len(held), int)
    for _ in range(size):
        gain = np.array([gains[count] if count < lloyd.MOST_BITS else -1 for count in bits]) * held
        best = int(np.argmax(gain))
        if gain[best] <= 0:
            break
        bits[best] += 1
    return tuple(int(count) for count in bits if count)
