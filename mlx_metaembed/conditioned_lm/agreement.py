"""How well texts have the digits that were asked for: Cohen's kappa a digit, weighted where levels have an order.

n texts, L levels.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from mlx_metaembed.evaluate.judgement import Judgement

ALL = "all"
"""The mean over the digits."""


def kappa(asked: np.ndarray, found: np.ndarray, levels: int, ordered: bool, weights: np.ndarray | None = None) -> float:
    """Cohen's kappa of levels asked for and found, int [n]: 1 is agreement, 0 what chance gives; NaN for one level.

    A miss counts by its squared distance where levels are `ordered` (Cohen 1968), else it counts 1.
    """
    cells = np.bincount(asked * levels + found, weights, minlength=levels * levels).reshape(levels, levels)
    cells = cells / max(cells.sum(), 1e-12)
    at = np.arange(levels)
    cost = (at[:, None] - at[None, :]) ** 2.0 if ordered else (at[:, None] != at[None, :]) * 1.0
    chance = np.sum(cost * cells.sum(axis=1)[:, None] * cells.sum(axis=0)[None, :])
    return float(1 - np.sum(cost * cells) / chance) if chance > 1e-12 else float("nan")


def judged(
    asked: np.ndarray, found: np.ndarray, names: Sequence[str], levels: Sequence[int], ordered: Sequence[bool]
) -> Judgement:
    """The judgement of IDs asked for and found, int [n, d]: `<name>/kappa` and `<name>/exact` a digit, and of all."""

    def figures(weights: np.ndarray | None) -> dict[str, float]:
        kappas = [kappa(asked[:, at], found[:, at], count, ordered[at], weights) for at, count in enumerate(levels)]
        exact = np.average(asked == found, axis=0, weights=weights)
        made: dict[str, float] = {}
        for name, one, share in zip(names, kappas, exact, strict=True):
            made |= {f"{name}/kappa": one, f"{name}/exact": float(share)}
        known = [each for each in kappas if np.isfinite(each)]
        mean = float(np.mean(known)) if known else float("nan")
        return made | {f"{ALL}/kappa": mean, f"{ALL}/exact": float(np.mean(exact))}

    return Judgement(len(asked), figures)


def shares(of: Judgement, ceiling: Judgement, names: Sequence[str]) -> Judgement:
    """The judgement of kappas over others of the same texts: `<name>/of_ceiling`."""

    def figures(weights: np.ndarray | None) -> dict[str, float]:
        one, other = of.figures(weights), ceiling.figures(weights)
        whole = [other[f"{name}/kappa"] for name in names]
        return {
            f"{name}/of_ceiling": one[f"{name}/kappa"] / most if most > 0 else float("nan")
            for name, most in zip(names, whole, strict=True)
        }

    return Judgement(of.units, figures)


def distinct_2(texts: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """By name the share of pairs of words that are distinct, among as many first pairs as the shortest has; NaN where
    there is none."""
    pairs = {name: [pair for text in each for pair in _pairs(text.split())] for name, each in texts.items()}
    count = min(map(len, pairs.values()), default=0)
    return {name: len(set(each[:count])) / count if count else float("nan") for name, each in pairs.items()}


def _pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    return list(itertools.pairwise(words))
