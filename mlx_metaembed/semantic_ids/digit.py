"""One digit of an ID: what decides a vector's level, and what a level stands for.

n vectors of D features, L levels.
"""

from dataclasses import dataclass

import numpy as np

CLASSES, VALUES, PROMPTS, FREE, CODE = "classes", "values", "prompts", "free", "code"
KINDS = {
    CLASSES: "the classes of a column",
    VALUES: "ranges of a column's numbers",
    PROMPTS: "how near texts are to prompts",
    FREE: "what the named axes leave",
    CODE: "what all digits before it leave",
}
AXES = (CLASSES, VALUES, PROMPTS, FREE)


@dataclass(frozen=True, eq=False)
class Digit:
    """A digit with L levels. A vector's level is the largest of `vectors @ weights + intercepts`, of a code digit of
    what the digits before have left of it; where there are `edges` [L - 1], the number of them that the only such
    score exceeds.

    `centroids` [L, D] are what the levels stand for, added up over the digits; `labels` are the levels' names.
    """

    name: str
    kind: str
    weights: np.ndarray
    intercepts: np.ndarray
    centroids: np.ndarray
    labels: tuple[str, ...] = ()
    edges: np.ndarray | None = None

    @property
    def levels(self) -> int:
        return len(self.centroids)

    @property
    def is_axis(self) -> bool:
        """Whether it has a name of its own, and reads the vector itself."""
        return self.kind in AXES

    def of(self, vectors: np.ndarray) -> np.ndarray:
        """The level of each vector [n, D], int64 [n]."""
        scores = vectors @ self.weights + self.intercepts
        return scores.argmax(axis=1) if self.edges is None else np.searchsorted(self.edges, scores[:, 0])

    def label(self, level: int) -> str:
        """A level's name; "" where it has none."""
        return self.labels[level] if level < len(self.labels) else ""


def nearest_to(name: str, kind: str, centroids: np.ndarray, prices: np.ndarray | None = None) -> Digit:
    """The digit whose level is the nearest centroid, where `prices` [L] make some of them further (squared)."""
    lengths = np.sum(centroids * centroids, axis=1) + (0 if prices is None else prices)
    return Digit(name, kind, 2 * centroids.T, -lengths, centroids)
