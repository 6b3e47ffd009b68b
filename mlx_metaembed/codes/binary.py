"""One bit a dimension, its sign: `np.packbits(e > 0)`, byte for byte what sentence-transformers calls `ubinary`.

A float query against signs (asymmetric) finds more of the true neighbours than signs against signs (symmetric), at
the same stored bytes; both score as cosines, so larger is nearer.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlx_metaembed.codes import pca, tables
from mlx_metaembed.codes.codec import Codec, Told, blocks, silent
from mlx_metaembed.codes.prefix import padded, require_width


def pack(vectors: np.ndarray) -> np.ndarray:
    """[n, D] as uint8 [n, ceil(D / 8)], the first dimension in the highest bit."""
    return np.packbits(np.asarray(vectors) > 0, axis=-1)


def signs(packed: np.ndarray, dimensions: int) -> np.ndarray:
    """uint8 [n, ceil(D / 8)] as float32 [n, D] of -1 and 1."""
    bits = np.unpackbits(packed, axis=-1, count=dimensions)
    return bits.astype(np.float32) * 2 - 1


def distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Hamming distances int64 [a, b] between uint8 [a, bytes] and [b, bytes]: how many bits differ.

    Bytes are compared one column at a time, so memory stays at a few arrays of [a, b].
    """
    differing = np.zeros((len(left), len(right)), np.int64)
    for column in range(left.shape[1]):
        differing += np.bitwise_count(left[:, None, column] ^ right[None, :, column])
    return differing


def symmetric(left: np.ndarray, right: np.ndarray, dimensions: int) -> np.ndarray:
    """Cosines float32 [a, b] of the sign vectors: `1 - 2 * distance / D`."""
    return (1 - 2 * distances(left, right) / dimensions).astype(np.float32)


def asymmetric(queries: np.ndarray, packed: np.ndarray) -> np.ndarray:
    """Scores float32 [q, n] of float queries [q, D] against packed signs: `q . sign / sqrt(D)`."""
    dimensions = queries.shape[1]
    return np.asarray(queries, np.float32) @ signs(packed, dimensions).T / np.float32(np.sqrt(dimensions))


def bytes_per_vector(dimensions: int) -> int:
    return -(-dimensions // 8)


@dataclass(frozen=True, eq=False)
class Binary(Codec):
    """The signs of the first `width` dimensions, scored as `asymmetric` scores them."""

    width: int
    kind = "binary"
    about = "the signs of the first dimensions"

    @classmethod
    def span(cls, dimensions: int) -> tuple[int, int]:
        return 1, bytes_per_vector(dimensions)

    @classmethod
    def fit(cls, sample: np.ndarray, size: int, *, seed: int = 0, told: Told = silent, **work: Any) -> "Binary":
        return cls(sample.shape[1], min(8 * size, sample.shape[1]))

    @property
    def bytes_per_vector(self) -> int:
        return bytes_per_vector(self.width)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        require_width(np.empty(self.width), self.dimensions, ("width",))
        return {}

    def _encoded(self, vectors: np.ndarray) -> np.ndarray:
        return pack(vectors[:, : self.width])

    def _decoded(self, codes: np.ndarray) -> np.ndarray:
        return padded(signs(codes, self.width), self.dimensions) / np.float32(np.sqrt(self.width))

    def _asked(self, queries: np.ndarray) -> np.ndarray:
        return queries[:, : self.width] / np.float32(np.sqrt(self.width))

    def _scored(self, asked: np.ndarray, codes: np.ndarray) -> np.ndarray:
        return sign_scores(asked, codes)


@dataclass(frozen=True, eq=False)
class PcaBinary(Codec):
    """The signs of the first principal components, each worth `step` [1], the mean size of a component."""

    mean: np.ndarray
    components: np.ndarray
    step: np.ndarray
    kind = "pca-binary"
    about = "the signs of principal components"

    @classmethod
    def span(cls, dimensions: int) -> tuple[int, int]:
        return 1, bytes_per_vector(dimensions)

    @classmethod
    def fit(cls, sample: np.ndarray, size: int, *, seed: int = 0, told: Told = silent, **work: Any) -> "PcaBinary":
        mean, components, _ = pca.fitted(sample)
        mean, components = mean.astype(np.float32), components[:, : 8 * size].astype(np.float32)
        total = sum(np.abs((sample[rows] - mean) @ components).sum(dtype=np.float64) for rows in blocks(len(sample)))
        step = np.array([total / (len(sample) * components.shape[1])], np.float32)
        return cls(sample.shape[1], mean, components, step)

    @property
    def bytes_per_vector(self) -> int:
        return bytes_per_vector(self.components.shape[1])

    def shapes(self) -> dict[str, tuple[int, ...]]:
        require_width(self.components[:1].reshape(-1), self.dimensions, ("components",))
        return {
            "mean": (self.dimensions,),
            "components": (self.dimensions, self.components.shape[1]),
            "step": (1,),
        }

    def _encoded(self, vectors: np.ndarray) -> np.ndarray:
        return pack((vectors - self.mean) @ self.components)

    def _decoded(self, codes: np.ndarray) -> np.ndarray:
        return self.mean + (signs(codes, self.components.shape[1]) * self.step) @ self.components.T

    def _asked(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return queries @ self.components * self.step, (queries @ self.mean)[:, None]

    def _scored(self, asked: tuple[np.ndarray, np.ndarray], codes: np.ndarray) -> np.ndarray:
        return sign_scores(asked[0], codes) + asked[1]


def sign_scores(queries: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """`queries [Q, D] . signs` of packed codes [N, bytes], float32 [Q, N]."""
    if len(queries) >= tables.AT_ONCE:
        return queries @ signs(codes, queries.shape[1]).T
    # Twice what the set bits sum to, less the sum of all.
    return 2 * tables.summed(tables.of_bits(queries), codes) - queries.sum(axis=1, keepdims=True)
