"""The code head: a learned projection, then finite scalar quantization. arXiv:2309.15505.

With `query = "float"` only what is stored is a code: a query is projected by weights of its own and not rounded, since
nobody stores it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from mlx_metaembed.errors import CallError
from mlx_metaembed.quantizers import NOISE as MOST_NOISE
from mlx_metaembed.quantizers import fsq, fsq_digits, fsq_values
from mlx_metaembed.xp import Array, namespace

CODE, FLOAT = "code", "float"
"""What a query is compared as."""
STRAIGHT_THROUGH, NOISE = "straight_through", "noise"
"""How a code head trains: rounding as it is, or with noise before it; the gradient passes through either."""
MOST_LEVELS = MOST_DIGITS = 2**16
"""More than any code has, and what float32 tells apart with room to spare."""


@dataclass(frozen=True)
class Fsq:
    """A learned projection, then finite scalar quantization: the vector as K digits; `query` is CODE or FLOAT."""

    kind: ClassVar[str] = "fsq"
    on_tokens: ClassVar[bool] = False
    gives: ClassVar[str] = "code"
    in_features: int
    levels: tuple[int, ...]
    query: str = CODE
    gradient: str = field(default=STRAIGHT_THROUGH, compare=False)

    def faults(self) -> list[str]:
        """What no code can have."""
        if not 1 <= len(self.levels) <= MOST_DIGITS:
            return [f"{len(self.levels)} levels, expected 1 to {MOST_DIGITS:,}"]
        wrong = [level for level in self.levels if not 2 <= level <= MOST_LEVELS]
        found = [f"levels hold {wrong[0]}, expected 2 to {MOST_LEVELS:,} each"] if wrong else []
        for name, known in (("query", (CODE, FLOAT)), ("gradient", (STRAIGHT_THROUGH, NOISE))):
            if getattr(self, name) not in known:
                found.append(f"{name} = {getattr(self, name)!r:.80}, expected {' or '.join(known)}")
        return found

    @property
    def out_features(self) -> int:
        """Features of a quantized vector."""
        return len(self.levels)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        matrix = (len(self.levels), self.in_features)
        own = {"projection.weight": matrix, "projection.bias": (len(self.levels),)}
        return own | ({"query.weight": matrix} if self.query == FLOAT else {})

    def initial(self, seed: int) -> dict[str, np.ndarray]:
        """Orthonormal rows, scaled so that the features of a unit vector start with variance near 1."""
        width = max(len(self.levels), self.in_features)
        rotation, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((width, width)))
        rows = (rotation[: len(self.levels), : self.in_features] * math.sqrt(self.in_features)).astype(np.float32)
        own = {"projection.weight": rows, "projection.bias": np.zeros(len(self.levels), np.float32)}
        return own | ({"query.weight": rows} if self.query == FLOAT else {})

    def __call__(self, weights: Mapping[str, Array], x: Array, noise: Array | None = None) -> Array:
        """Vectors [B, D] to quantized vectors [B, K] with values in [-1, 1]; `noise` [B, K] is a training step's."""
        xp = namespace(x)
        return fsq(xp.matmul(x, weights["projection.weight"].T) + weights["projection.bias"], self.levels, noise)

    def noise(self, count: int, seed: Sequence[int]) -> np.ndarray | None:
        """A training step's noise float32 [count, K]; None for a head that trains without."""
        if self.gradient == STRAIGHT_THROUGH:
            return None
        drawn = np.random.default_rng(seed).random((count, len(self.levels)), np.float32)
        return (2 * drawn - 1) * np.float32(MOST_NOISE)

    def of_query(self, weights: Mapping[str, Array], x: Array) -> Array:
        """Vectors [B, D] of queries to what the quantized vectors of others are compared with, [B, K]."""
        return namespace(x).matmul(x, weights["query.weight"].T) if self.query == FLOAT else self(weights, x)

    def stored(self, weights: Mapping[str, Array], x: Array) -> Array:
        """Vectors [B, D] to the quantized vectors [B, K] that are searched."""
        return self(weights, x)

    coded = stored
    """What `digits` reads."""

    def digits(self, values: np.ndarray) -> np.ndarray:
        """The quantized vectors [B, K] as digits int64, 0 .. levels[k] - 1."""
        return fsq_digits(values, self.levels)

    def dequantize(self, digits: np.ndarray) -> np.ndarray:
        """Digits [B, K] as the quantized vectors float32 that they stand for."""
        return fsq_values(digits, self.levels)


def parse_levels(text: str) -> tuple[int, ...]:
    """`"4x64"` (64 digits of 4 levels) or `"8,8,8,5"` as levels. Raises CallError for anything else."""
    level, times, count = text.partition("x")
    parts = [level, count] if times else [*text.split(","), "1"]
    *one, many = (int(part) if part.strip().isdecimal() and len(part) < 10 else 0 for part in parts)
    levels = tuple(one) * min(many, MOST_DIGITS + 1)
    if Fsq(0, levels).faults():
        raise CallError(
            f"fsq = {text!r:.80}: expected levels of 2 to {MOST_LEVELS:,}, like 4x64 (64 digits of 4 levels) or 8,8,8,5"
        )
    return levels


def level_words(levels: Sequence[int]) -> str:
    """Levels as `parse_levels` takes them: `4x64`, or `8,8,8,5`."""
    return f"{levels[0]}x{len(levels)}" if len(set(levels)) == 1 else ",".join(map(str, levels))
