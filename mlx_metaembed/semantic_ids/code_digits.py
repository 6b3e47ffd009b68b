"""The digits that find a text again: k-means of what is left, one digit after another (RQ-k-means).

An ID's digits are chosen greedily, so that a prefix of an ID is an ID and does not change with what comes behind.
`balanced` gives every level about the same share of the texts, as OneRec does (arXiv:2506.13695), by a price a level
that new texts pay too. n vectors of D features, L levels.
"""

import math
from dataclasses import replace

import numpy as np

from mlx_metaembed.codes import centroids
from mlx_metaembed.semantic_ids.digit import CODE, Digit, nearest_to

RQ_KMEANS, BALANCED = "rq-kmeans", "balanced"
METHODS = (RQ_KMEANS, BALANCED)
PER_LEVEL = 40
"""Vectors that a level should have at least, where the data choose how many levels there are."""
ROOM = 8
"""IDs for each text, where the data choose how many digits there are: few texts then share one."""
MOST_LEVELS = 256
ROUNDS = 60
"""Steps in which prices are found."""


def levels_for(count: int) -> tuple[int, ...]:
    """The levels that suit so many texts: a power of two of which each has enough, and digits for all texts."""
    levels = 1 << max(2, min(int(math.log2(MOST_LEVELS)), int(math.log2(max(count / PER_LEVEL, 4)))))
    return (levels,) * max(1, math.ceil(math.log(ROOM * count) / math.log(levels)))


def fitted(left: np.ndarray, levels: int, method: str, random: np.random.Generator) -> Digit:
    """A code digit of what is left of vectors [n, D]. Raises CallError where there are fewer vectors than levels."""
    centroids.require(len(left), levels, "A digit")
    found = centroids.fitted(left, levels, random, steps=20)
    if method == RQ_KMEANS:
        return nearest_to("", CODE, found)
    prices = np.zeros(levels, np.float32)
    spread = float(centroids.nearest(left, found)[1].mean())
    for step in range(ROUNDS):
        near = nearest_to("", CODE, found, prices).of(left)
        counts = np.bincount(near, minlength=levels)
        # Levels with more than their share become dearer; the steps become smaller.
        prices = prices + (spread * 2 / (1 + step / 6) * np.clip(counts / counts.mean() - 1, -1, 1)).astype(np.float32)
        if step < ROUNDS // 2:
            held = counts > 0
            found[held] = centroids.sums(left, near, levels)[held] / counts[held, None]
            # A level that no vector has takes one of the fullest, at that level's price.
            for empty in np.flatnonzero(~held):
                fullest = int(counts.argmax())
                found[empty] = left[random.choice(np.flatnonzero(near == fullest))]
                prices[empty] = prices[fullest]
                counts[fullest] //= 2
    digit = nearest_to("", CODE, found, prices - prices.min())
    # What a level stands for is the mean of those that it has, wherever the price has moved them from.
    near = digit.of(left)
    counts = np.bincount(near, minlength=levels)
    means = centroids.sums(left, near, levels) / np.maximum(counts, 1)[:, None]
    return replace(digit, centroids=np.where(counts[:, None] > 0, means, found).astype(np.float32))
