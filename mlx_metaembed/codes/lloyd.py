"""Lloyd-Max levels: the numbers that stand for a real one with the least mean square error, b bits of them.

Of the normal distribution (Max 1960), and refitted to values (Lloyd 1957, published 1982).
"""

import math
from functools import lru_cache

import numpy as np

MOST_BITS = 8


@lru_cache
def normal(bits: int) -> tuple[tuple[float, ...], float]:
    """The 2^bits levels of N(0, 1), ascending, and their mean square error: 1 of 0 bits, .3634 of one."""
    if bits == 0:
        return (0.0,), 1.0
    count = 2**bits
    # Levels of least error lie as the cube root of the density, which is a normal distribution of variance 3.
    start = np.array([_quantile((at + 0.5) / count) for at in range(count)]) * math.sqrt(3)
    levels = start
    for _ in range(2_000):
        edges = np.array([-math.inf, *((levels[1:] + levels[:-1]) / 2), math.inf])
        mass = np.diff([_below(edge) for edge in edges])
        moved = -np.diff([_density(edge) for edge in edges]) / mass
        if np.abs(moved - levels).max() < 1e-12:
            break
        levels = moved
    levels = (levels - levels[::-1]) / 2
    # At the centroids the error is what the levels' own variance leaves of 1.
    return tuple(levels.tolist()), float(1 - np.sum(mass * levels**2))


def refitted(values: np.ndarray, levels: np.ndarray, steps: int = 8) -> np.ndarray:
    """Levels [L], ascending, after some of Lloyd's steps on values [n]; one that no value is near stays."""
    ordered = np.sort(np.asarray(values, np.float64).ravel())
    sums, levels = np.concatenate([[0.0], np.cumsum(ordered)]), np.asarray(levels, np.float64)
    for _ in range(steps):
        ends = np.concatenate([[0], np.searchsorted(ordered, middles(levels)), [len(ordered)]])
        counts = np.diff(ends)
        means = np.diff(sums[ends]) / np.maximum(counts, 1)
        levels = np.sort(np.where(counts > 0, means, levels))
    return levels


def middles(levels: np.ndarray) -> np.ndarray:
    """Where one level ends and the next begins [L - 1]."""
    return (levels[1:] + levels[:-1]) / 2


def _below(edge: float) -> float:
    return 0.5 * (1 + math.erf(edge / math.sqrt(2)))


def _density(edge: float) -> float:
    return math.exp(-edge * edge / 2) / math.sqrt(2 * math.pi)


def _quantile(share: float) -> float:
    low, high = -10.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _below(middle) < share else (low, middle)
    return (low + high) / 2
