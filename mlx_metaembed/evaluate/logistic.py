"""Multinomial logistic regression on frozen vectors, as scikit-learn's LogisticRegression fits it, by L-BFGS in NumPy.

The objective is the mean cross-entropy plus the squared weights over 2 C n; the intercept has no penalty. n vectors of
D dimensions, K classes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.losses.cross_entropy import cross_entropy

TOLERANCE, STEPS, MEMORY = 1e-5, 500, 10
"""Largest gradient at the end, most steps, and steps that the curvature is taken from."""
STRENGTHS, HELD_OUT = (1.0, 10.0, 100.0, 1_000.0), 5
"""Values of C that `chosen` tries, and one vector in how many it tries them on."""
Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True)
class Logistic:
    """Weights float64 [D, K] and intercepts [K]."""

    weights: np.ndarray
    intercepts: np.ndarray

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Logits [n, K] of vectors [n, D]."""
        return vectors @ self.weights + self.intercepts

    def classes(self, vectors: np.ndarray) -> np.ndarray:
        """The most likely class of each vector, int64 [n]."""
        return np.argmax(self.scores(vectors), axis=1)


def fit(vectors: np.ndarray, labels: np.ndarray, count: int, *, c: float = 1.0) -> Logistic:
    """The regression of vectors [n, D] with labels 0..count-1 [n]; `c` is scikit-learn's C."""
    vectors = np.asarray(vectors, np.float64)
    rows, width = vectors.shape
    # Two classes share one vector of weights in scikit-learn; as two opposite halves it has half the squares.
    penalty = (2 if count == 2 else 1) / (c * rows)

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        table = flat.reshape(width + 1, count)
        logits = vectors @ table[:-1] + table[-1]
        logits -= logits.max(axis=1, keepdims=True)
        shares = np.exp(logits)
        totals = shares.sum(axis=1, keepdims=True)
        each = np.log(totals[:, 0]) - logits[np.arange(rows), labels]
        shares /= totals
        shares[np.arange(rows), labels] -= 1
        gradient = np.concatenate([vectors.T @ shares / rows + penalty * table[:-1], shares.mean(axis=0)[None]])
        return float(each.mean() + penalty / 2 * np.sum(table[:-1] ** 2)), gradient.ravel()

    found = minimum(objective, np.zeros((width + 1) * count)).reshape(width + 1, count)
    return Logistic(found[:-1], found[-1])


def chosen(vectors: np.ndarray, labels: np.ndarray, count: int, seed: int = 0) -> float:
    """The C whose regression of four fifths of the vectors has the least cross entropy on the last fifth.

    1 where there are too few vectors to hold some out.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    held, own = order[: len(order) // HELD_OUT], order[len(order) // HELD_OUT :]
    if len(held) < 2:
        return STRENGTHS[0]

    def error(c: float) -> float:
        scores = fit(vectors[own], labels[own], count, c=c).scores(np.asarray(vectors[held], np.float64))
        return float(cross_entropy(scores, labels[held]))

    return min(STRENGTHS, key=error)


def minimum(objective: Objective, start: np.ndarray) -> np.ndarray:
    """Where a convex function, which gives its value and gradient, is least: L-BFGS (Nocedal and Wright 2006, 7.2)."""
    point, (value, gradient) = start, objective(start)
    pairs: list[tuple[np.ndarray, np.ndarray, float]] = []
    for _ in range(STEPS):
        if np.abs(gradient).max() <= TOLERANCE:
            break
        direction = -_two_loops(gradient, pairs)
        slope, length = float(direction @ gradient), 1.0
        while True:
            moved = point + length * direction
            lower, steeper = objective(moved)
            if lower <= value + 1e-4 * length * slope or length < 1e-12:
                break
            length /= 2
        step, change = moved - point, steeper - gradient
        curvature = float(step @ change)
        if curvature > 1e-12 * float(change @ change):
            pairs = [*pairs[1 - MEMORY :], (step, change, curvature)]
        if length < 1e-12:
            break
        point, value, gradient = moved, lower, steeper
    return point


def _two_loops(gradient: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray, float]]) -> np.ndarray:
    """The gradient times the inverse of the curvature that the last steps and changes show."""
    found, shares = gradient.copy(), []
    for step, change, curvature in reversed(pairs):
        shares.append(float(step @ found) / curvature)
        found -= shares[-1] * change
    if pairs:
        _, change, curvature = pairs[-1]
        found *= curvature / float(change @ change)
    for (step, change, curvature), share in zip(pairs, reversed(shares), strict=True):
        found += (share - float(change @ found) / curvature) * step
    return found
