"""Vectors with a known make-up: an author's direction, a year along one line, one of some topics, and noise."""

import numpy as np

AUTHORS, TOPICS, WIDTH = 12, 20, 48


def made(n: int = 1_200, seed: int = 0) -> tuple[np.ndarray, dict[str, list[object]]]:
    """Unit vectors float32 [n, 48], and the columns author (text) and year (number)."""
    random = np.random.default_rng(seed)
    directions = np.random.default_rng(99)
    authors, topics = directions.standard_normal((AUTHORS, WIDTH)), directions.standard_normal((TOPICS, WIDTH))
    line = directions.standard_normal(WIDTH)
    author, year, topic = random.integers(0, AUTHORS, n), random.integers(0, 80, n), random.integers(0, TOPICS, n)
    x = 0.6 * authors[author] + 0.9 * line * (year[:, None] / 40 - 1) + topics[topic]
    x = x + 0.4 * random.standard_normal((n, WIDTH))
    columns = {"author": [f"author {at}" for at in author], "year": [1840 + int(at) for at in year]}
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), columns
