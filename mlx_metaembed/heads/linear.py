"""Heads that read the model's vector through one linear layer: a number of quality, or the scores of classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mlx_metaembed.xp import Array, namespace

MOST_CLASSES = 100_000


@dataclass(frozen=True)
class _Scores:
    """One linear layer on the vector, of as many rows as the head has scores."""

    on_tokens: ClassVar[bool] = False
    gives: ClassVar[str] = "scores"
    in_features: int

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return linear_shapes(self.out_features, self.in_features)

    def initial(self, seed: int) -> dict[str, np.ndarray]:
        """Weights drawn as torch.nn.Linear draws them, no bias."""
        return linear_initial(self.out_features, self.in_features, seed)

    def __call__(self, weights: Mapping[str, Array], x: Array) -> Array:
        """Vectors [B, D] to scores [B, out_features]."""
        return linear(weights, x)


@dataclass(frozen=True)
class Regression(_Scores):
    """One number a text, as `mse` on scores trains it."""

    kind: ClassVar[str] = "regression"
    out_features: ClassVar[int] = 1

    def faults(self) -> list[str]:
        """Nothing: any width has one."""
        return []


@dataclass(frozen=True)
class Classification(_Scores):
    """A score for each of some named classes, as `cross_entropy` trains them."""

    kind: ClassVar[str] = "classification"
    labels: tuple[str, ...]

    @property
    def out_features(self) -> int:
        return len(self.labels)

    def faults(self) -> list[str]:
        """What no classes can be."""
        if not 2 <= len(self.labels) <= MOST_CLASSES:
            return [f"{len(self.labels)} labels, expected 2 to {MOST_CLASSES:,}"]
        seen: set[str] = set()
        twice = next((label for label in self.labels if label in seen or seen.add(label)), None)
        return [] if twice is None else [f"the label {twice!r} stands twice"]


def linear_shapes(rows: int, columns: int) -> dict[str, tuple[int, ...]]:
    """The shapes of one linear layer by name."""
    return {"linear.weight": (rows, columns), "linear.bias": (rows,)}


def linear_initial(rows: int, columns: int, seed: int) -> dict[str, np.ndarray]:
    """One linear layer: weights uniform within 1 / sqrt(columns), bias zero, float32."""
    bound = columns**-0.5
    weight = np.random.default_rng(seed).uniform(-bound, bound, (rows, columns)).astype(np.float32)
    return {"linear.weight": weight, "linear.bias": np.zeros(rows, np.float32)}


def linear(weights: Mapping[str, Array], x: Array) -> Array:
    """Features [..., D] to [..., rows]."""
    return namespace(x).matmul(x, weights["linear.weight"].T) + weights["linear.bias"]
