"""What a code keeps of the float vectors, with intervals over the queries.

kept_r10: share of the float top 10 in the code's; kept_r100: in its first 100. kept_spearman: of all scores of queries
and documents, a sample of both. kept_ndcg: nDCG@10 as a share of the float vectors'; kept_ndcg_rescored: after the
code's first 100 are put in order by the float vectors.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mlx_metaembed.evaluate.retrieval import by_query
from mlx_metaembed.evaluate.sts import ranks
from mlx_metaembed.search.exact import BLOCK_FLOATS, top

NEAR, FAR, SAMPLE = 10, 100, 500
DRAWS, LEVEL = 1_000, 0.95
Scores = Callable[[np.ndarray], np.ndarray]
"""Scores [q, N] of some float queries."""


@dataclass(frozen=True)
class Reference:
    """Float queries [Q, D] and documents [N, D], compared by inner product, and who answers whom where that is known.

    `itself` has the document that a query is, which is none of its neighbours.
    """

    queries: np.ndarray
    searched: np.ndarray
    relevant: Sequence[Mapping[int, float]] | None = None
    itself: Mapping[int, int] = field(default_factory=dict)
    seed: int = 0

    @cached_property
    def nearest(self) -> np.ndarray:
        """The float top 10 of each query, int64 [Q, 10]."""
        return np.concatenate([top(each, NEAR) for each in self.blocks(self.scores)])

    @cached_property
    def ndcg(self) -> np.ndarray | None:
        """The float vectors' nDCG@10 of each query; None where nobody judged."""
        return None if self.relevant is None else by_query(self.nearest, self.relevant, [NEAR])[f"ndcg@{NEAR}"]

    @cached_property
    def order(self) -> np.ndarray:
        """Ranks of the scores of the sampled queries and documents [q, n]."""
        return self.ranked(self.scores)

    def scores(self, queries: np.ndarray) -> np.ndarray:
        return queries @ self.searched.T

    def ranked(self, scores: Scores) -> np.ndarray:
        """Ranks of the scores of a sample of queries and documents, [q, n], the lowest score first."""
        random = np.random.default_rng(self.seed)
        rows, columns = (random.permutation(count)[:SAMPLE] for count in (len(self.queries), len(self.searched)))
        found = scores(self.queries[rows])[:, columns]
        return ranks(found.ravel()).reshape(found.shape)

    def blocks(self, scores: Scores) -> Iterator[np.ndarray]:
        """Scores [q, N] of all queries, some at a time, a query's own document last."""
        step = max(1, BLOCK_FLOATS // len(self.searched))
        for start in range(0, len(self.queries), step):
            found = scores(self.queries[start : start + step])
            for line in range(len(found)):
                if (own := self.itself.get(start + line)) is not None:
                    found[line, own] = -np.inf
            yield found


def kept(reference: Reference, scores: Scores, *, draws: int = DRAWS) -> dict[str, float]:
    """The figures that are `kept_*`, each with its interval as `_low` and `_high` where there are draws."""
    far = np.concatenate([top(each, FAR) for each in reference.blocks(scores)])
    near = reference.nearest
    weights, figures = _weights(len(near), draws, reference.seed), {}
    for count in (NEAR, FAR):
        lines = zip(near.tolist(), far[:, :count].tolist(), strict=True)
        found = [len(set(own) & set(other)) / len(own) for own, other in lines]
        figures[f"kept_r{count}"] = _means(np.array(found), weights)
    figures["kept_spearman"] = _correlations(reference.order, reference.ranked(scores), draws, reference.seed)
    if reference.ndcg is not None:
        again = _rescored(reference, far)
        for name, ranked in (("kept_ndcg", far), ("kept_ndcg_rescored", again)):
            after = by_query(ranked, reference.relevant, [NEAR])[f"ndcg@{NEAR}"]
            figures[name] = _ratios(after, reference.ndcg, weights)
    return {name: value for figure, drawn in figures.items() for name, value in _with_ends(figure, drawn).items()}


def _rescored(reference: Reference, far: np.ndarray) -> np.ndarray:
    """The first 10 of each line of documents [Q, k] by float scores."""
    found = np.empty((len(far), min(NEAR, far.shape[1])), np.int64)
    for line, rows in enumerate(far):
        rows = np.sort(rows)
        scores = reference.searched[rows] @ reference.queries[line]
        if (own := reference.itself.get(line)) is not None:
            scores[rows == own] = -np.inf
        found[line] = rows[np.argsort(-scores, kind="stable")[: found.shape[1]]]
    return found


def _weights(units: int, draws: int, seed: int) -> np.ndarray:
    """How often each unit counts: once in the first line, then draw after draw, float64 [1 + draws, units]."""
    random = np.random.default_rng(seed)
    drawn = [np.bincount(random.integers(0, units, units), minlength=units) for _ in range(draws)]
    return np.array([np.ones(units), *drawn], np.float64)


def _means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return weights @ values / weights.sum(axis=1)


def _ratios(after: np.ndarray, before: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (weights @ after) / np.maximum(weights @ before, 1e-12)


def _correlations(before: np.ndarray, after: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Pearson's correlation of ranks [q, n], then that of queries drawn again: ranks stay those among all pairs."""
    left, right = (each.astype(np.float64) - each.mean() for each in (before, after))
    sums = np.stack([each.sum(axis=1) for each in (left, right, left * left, right * right, left * right)])
    weights = _weights(len(left), draws, seed)
    one, two, ones, twos, both = (sums @ weights.T) / (weights.sum(axis=1) * left.shape[1])
    scale = np.sqrt(np.maximum(ones - one * one, 0) * np.maximum(twos - two * two, 0))
    return np.divide(both - one * two, scale, out=np.zeros_like(scale), where=scale > 0)


def _with_ends(name: str, drawn: np.ndarray) -> dict[str, float]:
    if len(drawn) < 2:
        return {name: float(drawn[0])}
    low, high = np.quantile(drawn[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {name: float(drawn[0]), f"{name}_low": float(low), f"{name}_high": float(high)}
