"""nDCG, recall, MRR, MAP and precision at k, from exact scores.

Gains are the grades themselves, as pytrec_eval, BEIR and sentence-transformers' InformationRetrievalEvaluator have
them, not 2^grade - 1. A query with no relevant row is left out of every mean, as that evaluator does; pytrec_eval gives
it 0. MAP divides by all that is relevant, as trec_eval's map_cut does.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.data.rows import Retrieval
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate.coded import Coded
from mlx_metaembed.evaluate.judgement import Judgement, of_means
from mlx_metaembed.evaluate.task import K, Side, Task
from mlx_metaembed.search.exact import rankings, score_blocks

Relevant = Sequence[Mapping[int, float]]
"""One mapping a query: corpus row -> grade; a grade of 0 or less is not relevant."""
MEASURES = ("ndcg", "recall", "mrr", "map", "precision")


def measure(queries: np.ndarray, corpus: np.ndarray, relevant: Relevant, k: int = 10) -> dict[str, float]:
    """Search queries [Q, D] in a corpus [N, D] by dot product and score the k best of each.

    Gives `{"ndcg@k", "recall@k", "mrr@k", "map@k", "precision@k"}`. Raises CallError as `measure_ranked` does.
    """
    return measure_blocks(score_blocks(queries, corpus), relevant, k)


def measure_blocks(blocks: Iterable[np.ndarray], relevant: Relevant, k: int = 10) -> dict[str, float]:
    """The same from scores [b, N] that the caller computes in its own way, in the queries' order."""
    return measure_ranked(rankings(blocks, k)[0], relevant, k)


def ranked_without(blocks: Iterable[np.ndarray], itself: Mapping[int, int], k: int) -> np.ndarray:
    """The k best corpus rows of each query, int64 [Q, k], over score blocks [b, N]; -1 where fewer are left.

    `itself` has the corpus row of a query that is a text of the corpus too: it is left out of that query's ranking, as
    BEIR leaves out equal ids.
    """
    rows, scores = rankings(_masked(blocks, itself), k)
    return np.where(np.isneginf(scores), -1, rows)


def measure_ranked(ranked: np.ndarray, relevant: Relevant, k: int = 10) -> dict[str, float]:
    """The same from corpus rows [Q, >= k], best first. Raises CallError as `by_query` does."""
    return of_means(by_query(ranked, relevant, [k])).figures(None)


def by_query(ranked: np.ndarray, relevant: Relevant, ks: Sequence[int]) -> dict[str, np.ndarray]:
    """Each measure at each k as float64 [queries with a relevant row], from corpus rows [Q, >= k], best first.

    Raises CallError where the number of queries differs from that of the judgements, or none has a relevant row.
    """
    if len(ranked) != len(relevant):
        raise CallError(f"{len(ranked):,} queries were ranked, {len(relevant):,} have judgements; expected one each")
    found = [_of_query(rows, grades, ks) for rows, grades in zip(ranked.tolist(), relevant, strict=True)]
    judged = [values for values in found if values is not None]
    if not judged:
        raise CallError("No query has a relevant row, so nothing can be measured; look at the judgements (qrels)")
    return dict(zip(names(ks), np.array(judged).T, strict=True))


def names(ks: Sequence[int]) -> list[str]:
    """The names of the measures, those of one k together."""
    return [f"{name}@{k}" for k in ks for name in MEASURES]


def _masked(blocks: Iterable[np.ndarray], itself: Mapping[int, int]) -> Iterator[np.ndarray]:
    start = 0
    for block in blocks:
        for line in range(len(block)):
            if (row := itself.get(start + line)) is not None:
                block[line, row] = -np.inf
        start += len(block)
        yield block


def _of_query(rows: Sequence[int], grades: Mapping[int, float], ks: Sequence[int]) -> list[float] | None:
    """The measures of one query at each k; None where nothing is relevant to it."""
    gains = {row: grade for row, grade in grades.items() if grade > 0}
    if not gains:
        return None
    ideal = sorted(gains.values(), reverse=True)
    given = [gains.get(row, 0.0) for row in rows[: max(ks)]]
    hits = [rank for rank, gain in enumerate(given, start=1) if gain]
    values = []
    for k in ks:
        found = [rank for rank in hits if rank <= k]
        values += [
            _dcg(given[:k]) / _dcg(ideal[:k]),
            len(found) / len(gains),
            1 / found[0] if found else 0.0,
            sum(place / rank for place, rank in enumerate(found, start=1)) / len(gains),
            len(found) / k,
        ]
    return values


def _dcg(gains: Sequence[float]) -> float:
    """Gains discounted by log2(rank + 1), the first rank being 1."""
    return float(sum(gain / np.log2(rank + 1) for rank, gain in enumerate(gains, start=1)))


@dataclass(frozen=True)
class RetrievalTask(Task):
    """Queries in a corpus; with `ignore_identical_ids` a text of the corpus is no answer to the query of its own id."""

    rows: Retrieval
    ignore_identical_ids: bool = True
    shared_corpus: bool = False
    """Whether the corpus is one that other splits search too; that of pairs is not."""
    name = "retrieval"
    takes = "pairs (anchor, positive [, negative ...]), labelled pairs, or a BEIR folder"

    @classmethod
    def names_of(cls, ks: Sequence[int]) -> tuple[str, ...]:
        return tuple(names(ks))

    @property
    def main(self) -> str:
        return f"ndcg@{K if K in self.ks else max(self.ks)}"

    @property
    def counts(self) -> dict[str, int]:
        return {"queries": len(self.rows.queries), "corpus": len(self.rows.corpus)}

    @property
    def sides(self) -> tuple[Side, Side]:
        return (self.rows.queries, "query"), (self.rows.corpus, "document")

    @property
    def shared(self) -> Collection[str]:
        return self.rows.corpus if self.shared_corpus else ()

    @property
    def notes(self) -> tuple[str, ...]:
        count = len(self.rows.itself)
        left = "is left out of their rankings, as BEIR does with identical ids"
        said = f"{count:,} queries have the same id as a text of the corpus; that text "
        said += left if self.ignore_identical_ids else "stays in their rankings"
        return (*self.rows.notes, *([said] if count else []))

    def judge(self, coded: Coded, wanted: Collection[str]) -> Judgement:
        blocks = score_blocks(coded.queries, coded.stored, similarity=coded.similarity)
        itself = self.rows.itself if self.ignore_identical_ids else {}
        ranked = ranked_without(blocks, itself, max(K, *self.ks))
        return of_means(by_query(ranked, self.rows.relevant, self.ks), ranked[:, :K])

    def require_measurable(self) -> None:
        if not any(grade > 0 for grades in self.rows.relevant for grade in grades.values()):
            raise CallError("no query has a relevant row; look at the judgements (qrels)")
