"""Whether contestants that are compared in speed or memory computed the same thing."""

from collections.abc import Mapping, Sequence

import numpy as np


def cosine(vectors: np.ndarray, reference: np.ndarray) -> float:
    """The least cosine between equal rows of two [n, D]."""
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(reference, axis=1)
    return float(((vectors * reference).sum(axis=1) / lengths).min())


def difference(answers: Sequence[Sequence[Mapping[str, float]]], name: str) -> float:
    """The greatest difference between any two answers of the same name."""
    found = [answer[name] for side in answers for answer in side]
    return max(found) - min(found)
