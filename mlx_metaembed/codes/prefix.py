"""Vectors cut to a width, as Matryoshka training means it: the first components, unit length again.

A row of zeros stays zero, so that no cut divides by nothing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlx_metaembed.codes.codec import Codec, Told, silent
from mlx_metaembed.errors import CallError


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows [n, D] at length 1, float32; a row of zeros stays zero."""
    vectors = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths == 0, np.float32(1), lengths)


def cut(vectors: np.ndarray, width: int, *, renormalize: bool = True) -> np.ndarray:
    """The first `width` components of [n, D], float32, at length 1 unless told otherwise. Raises CallError past D."""
    if not 1 <= width <= vectors.shape[1]:
        raise CallError(f"Vectors of {vectors.shape[1]} dimensions can't be cut to {width}")
    kept = np.ascontiguousarray(vectors[:, :width], np.float32)
    return unit(kept) if renormalize else kept


def shortened(vectors: np.ndarray, width: int) -> np.ndarray:
    """The first `width` components of [n, D] at length 1; vectors at their whole width stay as they are."""
    return np.asarray(vectors, np.float32) if width == vectors.shape[1] else cut(vectors, width)


def padded(vectors: np.ndarray, dimensions: int) -> np.ndarray:
    """Vectors [n, width] with zeros behind them, [n, D]."""
    found = np.zeros((len(vectors), dimensions), np.float32)
    found[:, : vectors.shape[1]] = vectors
    return found


def require_width(first: np.ndarray, dimensions: int, names: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """The shapes of arrays that are as wide as the `first`. Raises ValueError where it is wider than the vectors."""
    if first.ndim != 1 or not 1 <= len(first) <= dimensions:
        raise ValueError(f"{names[0]} has the shape {list(first.shape)}, expected [1 to {dimensions}]")
    return dict.fromkeys(names, first.shape)


@dataclass(frozen=True, eq=False)
class Prefix(Codec):
    """The first `width` dimensions as float16, cut and made unit again."""

    width: int
    kind = "prefix"
    about = "the first dimensions, a float16 each"

    @classmethod
    def span(cls, dimensions: int) -> tuple[int, int]:
        return 2, 2 * dimensions

    @classmethod
    def fit(cls, sample: np.ndarray, size: int, *, seed: int = 0, told: Told = silent, **work: Any) -> "Prefix":
        return cls(sample.shape[1], size // 2)

    @property
    def bytes_per_vector(self) -> int:
        return 2 * self.width

    def shapes(self) -> dict[str, tuple[int, ...]]:
        require_width(np.empty(self.width), self.dimensions, ("width",))
        return {}

    def _encoded(self, vectors: np.ndarray) -> np.ndarray:
        short = np.clip(shortened(vectors, self.width), -65504, 65504)
        return np.ascontiguousarray(short.astype("<f2")).view(np.uint8)

    def _restored(self, codes: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(codes).view("<f2").astype(np.float32)

    def _decoded(self, codes: np.ndarray) -> np.ndarray:
        return padded(self._restored(codes), self.dimensions)

    def _asked(self, queries: np.ndarray) -> np.ndarray:
        return queries[:, : self.width]

    def _scored(self, asked: np.ndarray, codes: np.ndarray) -> np.ndarray:
        return asked @ self._restored(codes).T
