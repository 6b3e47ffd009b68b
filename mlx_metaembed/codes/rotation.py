"""A random rotation: after it the components of any vector are alike, so that one grid serves them all."""

import numpy as np


def drawn(dimensions: int, seed: int) -> np.ndarray:
    """A rotation float32 [D, D], uniform over all (Mezzadri, arXiv:math-ph/0609050)."""
    made, upper = np.linalg.qr(np.random.default_rng(seed).standard_normal((dimensions, dimensions)))
    return (made * np.where(np.diag(upper) < 0, -1, 1)).astype(np.float32)


def faults(rotation: np.ndarray) -> str:
    """What is wrong with a stored rotation, nothing where it keeps lengths."""
    one = np.ones(len(rotation), np.float32)
    kept = float(np.linalg.norm(one @ rotation) / np.linalg.norm(one))
    return "" if abs(kept - 1) < 1e-3 else f"rotation makes vectors {kept:.3g} times as long"
