"""Guessed labels beside the true ones: accuracy and macro F1, also of units drawn again."""

from dataclasses import dataclass

import numpy as np

from mlx_metaembed.evaluate.judgement import Weights


@dataclass(frozen=True)
class Guesses:
    """Labels that were guessed [g], for the units at `places` [g]; both are numbers of `count` labels."""

    name: str
    places: np.ndarray
    gold: np.ndarray
    guessed: np.ndarray
    count: int

    def figures(self, weights: Weights) -> dict[str, float]:
        """`{"accuracy", "macro_f1"}`, the names begun by `name`; NaN where nothing that was guessed counts."""
        counts = np.ones(len(self.gold)) if weights is None else weights[self.places].astype(np.float64)
        if not counts.sum():
            return dict.fromkeys((f"{self.name}accuracy", f"{self.name}macro_f1"), np.nan)
        right = float(counts @ (self.gold == self.guessed) / counts.sum())
        f1 = macro_f1(self.gold, self.guessed, self.count, counts)
        return {f"{self.name}accuracy": right, f"{self.name}macro_f1": f1}


def macro_f1(gold: np.ndarray, guessed: np.ndarray, count: int, weights: Weights = None) -> float:
    """Mean of each label's F1, over those of 0..count-1 that are there or were guessed, as scikit-learn takes it."""
    right = gold == guessed
    both = np.bincount(gold[right], None if weights is None else weights[right], minlength=count)
    given = np.bincount(gold, weights, minlength=count) + np.bincount(guessed, weights, minlength=count)
    there = given > 0
    return float(np.mean(2 * both[there] / given[there]))
