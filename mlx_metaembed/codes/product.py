"""Product quantizers: a vector in parts, each part one of 256 centroids (Jegou, Douze and Schmid 2011), and OPQ, which
turns vectors first so that the parts share the variance (Ge et al. 2013).

M parts of k centroids.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from mlx_metaembed.codes import centroids, pca, rotation, tables
from mlx_metaembed.codes.codec import Codec, Told, silent
from mlx_metaembed.codes.rabitq import mean_of

CENTROIDS = 256
FITTED = 32_768
"""Rows of the sample that are used at most."""
STEPS, TURNS = 12, 10
"""Steps of k-means of a part, and how often OPQ turns."""


@dataclass(frozen=True, eq=False)
class Product(Codec):
    """`codebooks` [k, D]: the columns of each part are its centroids; parts of D differ by one dimension at most."""

    parts: int
    mean: np.ndarray
    codebooks: np.ndarray
    kind = "pq"
    about = "a vector in parts, a centroid each"

    @classmethod
    def span(cls, dimensions: int) -> tuple[int, int]:
        return 1, dimensions

    @classmethod
    def fit(
        cls, sample: np.ndarray, size: int, *, seed: int = 0, told: Told = silent, k: int = CENTROIDS, **work: Any
    ) -> "Product":
        rows, mean = _rows(cls.kind, sample, k, seed)
        return cls(sample.shape[1], size, mean, _codebooks(rows, _ends(sample.shape[1], size), k, seed, told))

    @property
    def bytes_per_vector(self) -> int:
        return self.parts

    def shapes(self) -> dict[str, tuple[int, ...]]:
        k = len(self.codebooks)
        if not 1 <= self.parts <= self.dimensions or not 1 <= k <= CENTROIDS:
            raise ValueError(f"{self.parts} parts of {k} centroids, expected at most {self.dimensions} of {CENTROIDS}")
        return {"mean": (self.dimensions,), "codebooks": (k, self.dimensions)}

    def _turned(self, vectors: np.ndarray) -> np.ndarray:
        return vectors

    def _back(self, vectors: np.ndarray) -> np.ndarray:
        return vectors

    def _parts(self) -> list[slice]:
        return _ends(self.dimensions, self.parts)

    def _encoded(self, vectors: np.ndarray) -> np.ndarray:
        turned = self._turned(vectors - self.mean)
        found = [centroids.nearest(turned[:, part], self.codebooks[:, part])[0] for part in self._parts()]
        return np.stack(found, axis=1).astype(np.uint8)

    def _decoded(self, codes: np.ndarray) -> np.ndarray:
        return self.mean + self._back(_looked_up(self.codebooks, self._parts(), codes))

    def _asked(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._turned(queries), (queries @ self.mean)[:, None]

    def _scored(self, asked: tuple[np.ndarray, np.ndarray], codes: np.ndarray) -> np.ndarray:
        queries, first = asked
        if len(queries) >= tables.AT_ONCE:
            return queries @ _looked_up(self.codebooks, self._parts(), codes).T + first
        made = np.stack([queries[:, part] @ self.codebooks[:, part].T for part in self._parts()], axis=1)
        return tables.summed(made, codes) + first

    def _checked(self, codes: np.ndarray) -> np.ndarray:
        codes = super()._checked(codes)
        centroids.require_codes(codes, len(self.codebooks))
        return codes


@dataclass(frozen=True, eq=False)
class Optimized(Product):
    """The same after a rotation that is fitted with the centroids, turn by turn."""

    rotation: np.ndarray
    kind = "opq"
    about = "a vector in parts after a fitted rotation, a centroid each"

    @classmethod
    def fit(
        cls, sample: np.ndarray, size: int, *, seed: int = 0, told: Told = silent, k: int = CENTROIDS, **work: Any
    ) -> "Optimized":
        rows, mean = _rows(cls.kind, sample, k, seed)
        parts = _ends(sample.shape[1], size)
        turn = _balanced(rows, parts)
        turned = rows @ turn
        books = np.array(turned[np.sort(np.random.default_rng(seed).choice(len(rows), k, replace=False))])
        for at in range(TURNS):
            books = np.concatenate([centroids.moved(turned[:, part], books[:, part]) for part in parts], axis=1)
            codes = np.stack([centroids.nearest(turned[:, part], books[:, part])[0] for part in parts], axis=1)
            left, _, right = np.linalg.svd(rows.T @ _looked_up(books, parts, codes))
            turn = (left @ right).astype(np.float32)
            turned = rows @ turn
            told((at + 1) / (TURNS + 2))
        books = _codebooks(turned, parts, k, seed, lambda share: None, books)
        return cls(sample.shape[1], size, mean, books, turn)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        if self.rotation.shape == (self.dimensions,) * 2 and (wrong := rotation.faults(self.rotation)):
            raise ValueError(wrong)
        return {**super().shapes(), "rotation": (self.dimensions, self.dimensions)}

    def _turned(self, vectors: np.ndarray) -> np.ndarray:
        return vectors @ self.rotation

    def _back(self, vectors: np.ndarray) -> np.ndarray:
        return vectors @ self.rotation.T


def _ends(dimensions: int, parts: int) -> list[slice]:
    """Which dimensions each part has."""
    ends = [dimensions * at // parts for at in range(parts + 1)]
    return [slice(first, last) for first, last in pairwise(ends)]


def _rows(kind: str, sample: np.ndarray, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to fit on, less their mean, and the mean. Raises CallError where there are fewer than centroids."""
    centroids.require(len(sample), k, f"A part of {kind}")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(sample))[:FITTED])
    rows = np.asarray(sample[chosen], np.float32)
    mean = mean_of(rows)
    return rows - mean, mean


def _codebooks(
    rows: np.ndarray, parts: list[slice], k: int, seed: int, told: Told, start: np.ndarray | None = None
) -> np.ndarray:
    """Centroids of each part, float32 [k, D]."""
    found = []
    for at, part in enumerate(parts):
        own = np.ascontiguousarray(rows[:, part])
        if start is None:
            found.append(centroids.fitted(own, k, np.random.default_rng((seed, at)), STEPS))
        else:
            found.append(start[:, part])
            for _ in range(STEPS // 3):
                found[-1] = centroids.moved(own, found[-1])
        told((at + 1) / len(parts))
    return np.ascontiguousarray(np.concatenate(found, axis=1), np.float32)


def _looked_up(books: np.ndarray, parts: list[slice], codes: np.ndarray) -> np.ndarray:
    """The centroids of codes [N, M] side by side, float32 [N, D]."""
    found = np.empty((len(codes), books.shape[1]), np.float32)
    for part, column in zip(parts, codes.T, strict=True):
        found[:, part] = books[column, part]
    return found


def _balanced(rows: np.ndarray, parts: list[slice]) -> np.ndarray:
    """Principal components [D, D] dealt out so that the products of the parts' variances are alike."""
    _, components, variances = pca.fitted(rows)
    logs = np.log(np.maximum(variances, 1e-12 * variances[0]))
    # Above zero, so that every component adds to the part that it goes to.
    logs = logs - logs.min() + 1e-3
    held, left = np.zeros(len(parts)), np.array([part.stop - part.start for part in parts])
    dealt: list[list[int]] = [[] for _ in parts]
    for component in range(len(variances)):
        at = int(np.argmin(np.where(left > 0, held, np.inf)))
        dealt[at].append(component)
        held[at] += logs[component]
        left[at] -= 1
    return components[:, [component for each in dealt for component in each]].astype(np.float32)
