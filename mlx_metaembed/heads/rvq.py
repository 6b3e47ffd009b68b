"""The residual code head: a learned projection, then a sum of centroids, one of k a stage, which learn too.

Digits are hierarchical: the first ones of a code are a code. D features, M stages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mlx_metaembed.heads.fsq import CODE, FLOAT
from mlx_metaembed.quantizers import rvq, rvq_codes, rvq_sum
from mlx_metaembed.xp import Array, namespace

BEAM = 8
"""Sums that are kept at each stage while a text is coded; training takes the nearest centroid each time."""
MOST_STAGES, MOST_CENTROIDS = 256, 2**16


@dataclass(frozen=True)
class Rvq:
    """A learned projection, then a sum of centroids: the vector as M digits of k levels; `query` is CODE or FLOAT."""

    kind: ClassVar[str] = "rvq"
    on_tokens: ClassVar[bool] = False
    gives: ClassVar[str] = "code"
    in_features: int
    levels: tuple[int, ...]
    query: str = FLOAT

    def faults(self) -> list[str]:
        """What no code can have."""
        if not 1 <= len(self.levels) <= MOST_STAGES:
            return [f"{len(self.levels)} levels, expected 1 to {MOST_STAGES} stages"]
        found = []
        if wrong := [level for level in self.levels if not 2 <= level <= MOST_CENTROIDS]:
            found.append(f"levels hold {wrong[0]}, expected 2 to {MOST_CENTROIDS:,} centroids each")
        elif len(set(self.levels)) > 1:
            found.append(f"levels hold {min(self.levels)} and {max(self.levels)}; stages have equally many centroids")
        if self.query not in (CODE, FLOAT):
            found.append(f"query = {self.query!r:.80}, expected {CODE} or {FLOAT}")
        return found

    @property
    def out_features(self) -> int:
        """Features of a quantized vector."""
        return self.in_features

    def shapes(self) -> dict[str, tuple[int, ...]]:
        width = self.in_features
        own = {"projection.weight": (width, width), "projection.bias": (width,), "mean": (width,)}
        own["codebooks"] = (len(self.levels), self.levels[0], width)
        return own | ({"query.weight": (width, width)} if self.query == FLOAT else {})

    def initial(self, seed: int) -> dict[str, np.ndarray]:
        """The vectors as they are, and centroids drawn at random, shorter by stage."""
        found = {name: np.zeros(shape, np.float32) for name, shape in self.shapes().items()}
        for name in ("projection.weight", "query.weight"):
            if name in found:
                np.fill_diagonal(found[name], 1)
        lengths = 0.9 ** np.arange(len(self.levels)) / np.sqrt(self.in_features)
        drawn = np.random.default_rng(seed).standard_normal(found["codebooks"].shape) * lengths[:, None, None]
        return found | {"codebooks": drawn.astype(np.float32)}

    def __call__(self, weights: Mapping[str, Array], x: Array, noise: Array | None = None) -> Array:
        """Vectors [B, D] to quantized vectors [B, D] with a gradient, each stage's nearest centroid."""
        return rvq(self._projected(weights, x), weights["codebooks"]) + weights["mean"]

    def noise(self, count: int, seed: Sequence[int]) -> None:
        """None: it trains without."""

    def stored(self, weights: Mapping[str, Array], x: Array) -> Array:
        """Vectors [B, D] to the quantized vectors [B, D] that are searched: a beam finds the centroids."""
        return rvq_sum(self.coded(weights, x), weights["codebooks"]) + weights["mean"]

    def of_query(self, weights: Mapping[str, Array], x: Array) -> Array:
        """Vectors [B, D] of queries to what the quantized vectors of others are compared with, [B, D]."""
        if self.query == FLOAT:
            return namespace(x).matmul(x, weights["query.weight"].T)
        return self.stored(weights, x)

    def coded(self, weights: Mapping[str, Array], x: Array) -> Array:
        """Vectors [B, D] to what `digits` reads: the numbers of their centroids [B, M]."""
        return rvq_codes(self._projected(weights, x), weights["codebooks"], BEAM)

    def digits(self, coded: np.ndarray) -> np.ndarray:
        """The digits int64 [B, M], 0 .. k - 1."""
        return coded.astype(np.int64)

    def _projected(self, weights: Mapping[str, Array], x: Array) -> Array:
        return namespace(x).matmul(x, weights["projection.weight"].T) + weights["projection.bias"]
