"""Reranking: the positives and negatives that came with each query, ordered by their scores.

MAP counts the whole list; MRR and nDCG its first k. Equal scores put negatives first, so that a model that gives every
text one vector ranks at the bottom.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from mlx_metaembed.evaluate import retrieval
from mlx_metaembed.evaluate.coded import Coded
from mlx_metaembed.evaluate.judgement import Judgement, of_means
from mlx_metaembed.evaluate.rows import Candidates
from mlx_metaembed.evaluate.task import Side, Task
from mlx_metaembed.search.exact import score_blocks

Lists = Sequence[tuple[Sequence[int], Sequence[int]]]
"""A query's positives and negatives, as rows of the documents."""


def judge(
    queries: np.ndarray, documents: np.ndarray, candidates: Lists, ks: Sequence[int] = (10,), *, similarity: str
) -> Judgement:
    """`map`, and `mrr@k` and `ndcg@k` at each k, of queries [Q, D] and documents [N, D] compared by `similarity`."""
    values: dict[str, list[float]] = {name: [] for name in figures(ks)}
    for query, (positives, negatives) in zip(queries, candidates, strict=True):
        rows = [*negatives, *positives]
        (scores,) = score_blocks(query[None], documents[rows], similarity=similarity)
        ranked = np.argsort(-scores, axis=1, kind="stable")
        relevant = [dict.fromkeys(range(len(negatives), len(rows)), 1.0)]
        found = retrieval.by_query(ranked, relevant, [*ks, len(rows)])
        for name in values:
            values[name] += found[f"map@{len(rows)}" if name == "map" else name].tolist()
    return of_means({name: np.array(each) for name, each in values.items()})


def figures(ks: Sequence[int]) -> list[str]:
    """The names of the figures."""
    return ["map", *(f"{name}@{k}" for k in ks for name in ("mrr", "ndcg"))]


@dataclass(frozen=True)
class RerankingTask(Task):
    """Queries, each with candidates of its own."""

    rows: Candidates
    name = "reranking"
    takes = "query, positives, negatives, or pairs with negatives"

    @classmethod
    def names_of(cls, ks: Sequence[int]) -> tuple[str, ...]:
        return tuple(figures(ks))

    @property
    def counts(self) -> dict[str, int]:
        return {"queries": len(self.rows.queries), "candidates": sum(map(len, chain(*self.rows.candidates)))}

    @property
    def sides(self) -> tuple[Side, Side]:
        return (self.rows.queries, "query"), (self.rows.documents, "document")

    def judge(self, coded: Coded, wanted: Collection[str]) -> Judgement:
        sides = (coded.queries, coded.stored, self.rows.candidates)
        return judge(*sides, self.ks, similarity=coded.similarity)

    def require_measurable(self) -> None:
        """Rows without candidates are refused when they are read."""
