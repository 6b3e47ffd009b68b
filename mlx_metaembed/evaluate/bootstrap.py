"""Intervals of figures, and the difference between two models, by the bootstrap: units drawn again with repetition.

The interval is the percentile one (Efron and Tibshirani 1993, chapter 13). Two models are drawn together, so that what
is hard for both does not widen their difference.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate.judgement import Judgement

DRAWS, LEVEL = 1_000, 0.95
"""Draws of as many units as there are, and the share of them that an interval holds."""


def intervals(judgement: Judgement, *, draws: int = DRAWS, seed: int = 0) -> dict[str, float]:
    """`{"ndcg@10_low", "ndcg@10_high", ...}`: where 95 % of the draws lie, for each figure."""
    found: dict[str, list[float]] = {}
    for weights in _drawn(judgement.units, draws, seed):
        for name, value in judgement.figures(weights).items():
            found.setdefault(name, []).append(value)
    return {key: value for name, values in found.items() for key, value in _ends(name, values).items()}


def with_intervals(judgement: Judgement, draws: int = DRAWS, seed: int = 0) -> dict[str, float]:
    """The figures of a judgement, each with its interval behind it; without draws the figures alone."""
    ends = intervals(judgement, draws=draws, seed=seed)
    line: dict[str, float] = {}
    for name, value in judgement.figures(None).items():
        line |= {name: value} | {key: ends[key] for key in (f"{name}_low", f"{name}_high") if key in ends}
    return line


def compared(first: Judgement, other: Judgement, figures: Sequence[str], *, draws: int, seed: int) -> dict[str, float]:
    """`differences` of some figures; without draws neither intervals nor p. Raises CallError as `differences` does."""
    endings = ("difference", *(("difference_low", "difference_high", "p") if draws else ()))
    found = differences(first, other, draws=draws, seed=seed)
    wanted = [f"{name}_{ending}" for name in figures for ending in endings]
    return {key: found[key] for key in wanted if key in found}


def differences(first: Judgement, other: Judgement, *, draws: int = DRAWS, seed: int = 0) -> dict[str, float]:
    """How much more `other` has than `first`: `{"ndcg@10_difference", its _low and _high, "ndcg@10_p", ...}`.

    p is two-sided: how often a difference on the other side of 0 is drawn, doubled. Raises CallError where the two were
    not judged on the same units.
    """
    if first.units != other.units:
        raise CallError(f"Two models are compared on the same rows; found {first.units:,} and {other.units:,}")
    before, after = first.figures(None), other.figures(None)
    found: dict[str, list[float]] = {name: [] for name in before}
    for weights in _drawn(first.units, draws, seed):
        one, two = first.figures(weights), other.figures(weights)
        for name, values in found.items():
            values.append(two[name] - one[name])
    lines: dict[str, float] = {}
    for name, values in found.items():
        lines[f"{name}_difference"] = after[name] - before[name]
        lines |= _ends(f"{name}_difference", values) | {f"{name}_p": _p(values)}
    return lines


def _drawn(units: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often each unit is drawn, int64 [units], draw after draw."""
    random = np.random.default_rng(seed)
    for _ in range(draws):
        yield np.bincount(random.integers(0, units, units), minlength=units)


def _ends(name: str, values: list[float]) -> dict[str, float]:
    """Both ends of an interval; draws in which a figure is undefined tell nothing."""
    known = np.array(values)[np.isfinite(values)]
    if not len(known):
        return {}
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {f"{name}_low": float(low), f"{name}_high": float(high)}


def _p(values: list[float]) -> float:
    """One is added to both counts, so that no p is 0 (Davison and Hinkley 1997, section 4.2)."""
    known = np.array(values)[np.isfinite(values)]
    fewer = min(np.sum(known <= 0), np.sum(known >= 0))
    return float(min(1.0, 2 * (fewer + 1) / (len(known) + 1)))
