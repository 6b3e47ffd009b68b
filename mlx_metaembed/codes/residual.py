"""Sums of centroids, one of 256 a byte: each stage codes what the stages before it left. The code up to 20 bytes.

A vector keeps the best few sums at every stage (a beam), which finds nearer ones than the nearest centroid each time
(arXiv:1509.05195). A stage's centroids are k-means' of what the beam left, in the first principal components before
all of them, and drawn towards the mean, since much of what a late stage sees in the few vectors of a centroid is noise.
A scale a vector would hurt here. M stages of k centroids.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlx_metaembed.codes import centroids, pca, tables
from mlx_metaembed.codes.codec import Codec, Told, silent

CENTROIDS = 256
FITTED = 32_768
"""Rows of the sample that are used at most: 128 a centroid."""
BEAM, FITTING_BEAM = 8, 4
STEPS, WIDTHS = 5, (16, 64)
"""Steps of k-means at each width, and how many components it begins with."""
PATHS = 160
"""Residuals of a centroid up to which a vector's other sums in the beam are used too: few vectors then fit better."""
DRAWN = 2
"""Vectors at the mean that are added to each centroid's own."""
AT_ONCE = 2_048
"""Rows whose beams are held at a time."""
MOST = 256
"""Stages at most."""


@dataclass(frozen=True, eq=False)
class Residual(Codec):
    """`codebooks` [M, k, D] are added up on `mean` [D]."""

    mean: np.ndarray
    codebooks: np.ndarray
    kind = "residual"
    about = "sums of centroids, a byte a stage"

    @classmethod
    def span(cls, dimensions: int) -> tuple[int, int]:
        return 1, MOST

    @classmethod
    def fit(
        cls,
        sample: np.ndarray,
        size: int,
        *,
        seed: int = 0,
        told: Told = silent,
        stages: MutableMapping[int, np.ndarray] | None = None,
        k: int = CENTROIDS,
        **work: Any,
    ) -> "Residual":
        """`stages` keeps the centroids of each stage that is done: a fit that was ended goes on behind them."""
        centroids.require(len(sample), k, f"A stage of {cls.kind}")
        stages = {} if stages is None else stages
        rows = np.sort(np.random.default_rng(seed).permutation(len(sample))[:FITTED])
        rows = np.asarray(sample[rows], np.float32)
        mean, components, _ = (each.astype(np.float32) for each in pca.fitted(rows))
        beams = [_Beam.start((rows[at : at + AT_ONCE] - mean) @ components) for at in range(0, len(rows), AT_ONCE)]
        for stage in range(size):
            if stage not in stages:
                paths = max(1, min(beams[0].residuals.shape[1], PATHS * k // len(rows)))
                left = np.concatenate([beam.residuals[:, :paths].reshape(-1, len(mean)) for beam in beams])
                stages[stage] = _centroids(left, k, DRAWN * paths, np.random.default_rng((seed, stage)))
            beams = [beam.extended(stages[stage], FITTING_BEAM) for beam in beams]
            told((stage + 1) / size)
        codebooks = np.stack([stages[stage] @ components.T for stage in range(size)])
        return cls(sample.shape[1], mean, codebooks.astype(np.float32))

    @property
    def bytes_per_vector(self) -> int:
        return len(self.codebooks)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        stages, k = self.codebooks.shape[:2] if self.codebooks.ndim == 3 else (0, 0)
        if not 1 <= stages <= MOST or not 1 <= k <= CENTROIDS:
            raise ValueError(f"codebooks {list(self.codebooks.shape)}, expected 1 to {MOST} of 1 to {CENTROIDS} rows")
        return {"mean": (self.dimensions,), "codebooks": (stages, k, self.dimensions)}

    def _encoded(self, vectors: np.ndarray) -> np.ndarray:
        found = []
        for start in range(0, len(vectors), AT_ONCE):
            beam = _Beam.start(vectors[start : start + AT_ONCE] - self.mean)
            for codebook in self.codebooks:
                beam = beam.extended(codebook, BEAM)
            found.append(beam.codes[:, 0])
        return np.concatenate(found)

    def _decoded(self, codes: np.ndarray) -> np.ndarray:
        found = np.repeat(self.mean[None], len(codes), axis=0)
        for column, codebook in zip(codes.T, self.codebooks, strict=True):
            found += codebook[column]
        return found

    def _asked(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return queries, (queries @ self.mean)[:, None]

    def _scored(self, asked: tuple[np.ndarray, np.ndarray], codes: np.ndarray) -> np.ndarray:
        queries, first = asked
        if len(queries) >= tables.AT_ONCE:
            return queries @ self._decoded(codes).T
        made = np.einsum("qd,mkd->qmk", queries, self.codebooks, optimize=True)
        return tables.summed(made, codes) + first

    def _checked(self, codes: np.ndarray) -> np.ndarray:
        codes = super()._checked(codes)
        centroids.require_codes(codes, self.codebooks.shape[1])
        return codes


@dataclass(frozen=True)
class _Beam:
    """The best sums so far of some vectors, nearest first: codes uint8 [n, b, stage], what is left [n, b, D]."""

    codes: np.ndarray
    residuals: np.ndarray

    @classmethod
    def start(cls, vectors: np.ndarray) -> "_Beam":
        return cls(np.empty((len(vectors), 1, 0), np.uint8), vectors[:, None])

    def extended(self, codebook: np.ndarray, width: int) -> "_Beam":
        """The `width` nearest sums with a centroid more."""
        n, b, features = self.residuals.shape
        k = len(codebook)
        squares = np.sum(self.residuals * self.residuals, axis=2)
        # Of |r - c|^2 what differs between the sums of one vector.
        found = self.residuals.reshape(-1, features) @ (-2 * codebook.T) + np.sum(codebook * codebook, axis=1)
        found = (found.reshape(n, b, k) + squares[:, :, None]).reshape(n, b * k)
        width = min(width, b * k)
        best = (
            np.argpartition(found, width - 1, axis=1)[:, :width] if width < b * k else np.tile(np.arange(b * k), (n, 1))
        )
        order = np.lexsort((best, np.take_along_axis(found, best, axis=1)), axis=1)
        best = np.take_along_axis(best, order, axis=1)
        before, taken = np.divmod(best, k)
        lines = np.arange(n)[:, None]
        codes = np.concatenate([self.codes[lines, before], taken[:, :, None].astype(np.uint8)], axis=2)
        return _Beam(codes, self.residuals[lines, before] - codebook[taken])


def _centroids(left: np.ndarray, k: int, drawn: float, random: np.random.Generator) -> np.ndarray:
    """Centroids float32 [k, D] of residuals [n, D] in principal components, `drawn` more at the mean of each."""
    found = np.array(left[np.sort(random.choice(len(left), k, replace=False))])
    for width in (*(each for each in WIDTHS if each < left.shape[1]), left.shape[1]):
        part, short = np.ascontiguousarray(left[:, :width]), found[:, :width]
        for _ in range(STEPS):
            short = centroids.moved(part, short)
        near = centroids.nearest(part, short)[0]
        found = centroids.sums(left, near, k) / (np.bincount(near, minlength=k) + drawn)[:, None]
    return found.astype(np.float32)
