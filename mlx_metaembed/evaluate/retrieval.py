"""nDCG, recall and MRR at k, from exact scores.

Gains are the grades themselves, as pytrec_eval, BEIR and sentence-transformers' InformationRetrievalEvaluator have
them, not 2^grade - 1. A query with no relevant row is left out of every mean, as BEIR does.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from mlx_metaembed.errors import CallError
from mlx_metaembed.search.exact import rankings, score_blocks

Relevant = Sequence[Mapping[int, float]]
"""One mapping a query: corpus row -> grade; a grade of 0 or less is not relevant."""


def measure(queries: np.ndarray, corpus: np.ndarray, relevant: Relevant, k: int = 10) -> dict[str, float]:
    """Search queries [Q, D] in a corpus [N, D] by dot product and score the k best of each.

    Gives `{"ndcg@k", "recall@k", "mrr@k"}`. Raises CallError as `measure_ranked` does.
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
    """The same from corpus rows [Q, >= k], best first.

    Raises CallError where the number of queries differs from that of the judgements, or none has a relevant row.
    """
    if len(ranked) != len(relevant):
        raise CallError(f"{len(ranked):,} queries were ranked, {len(relevant):,} have judgements; expected one each")
    found = [_of_query(rows[:k], grades, k) for rows, grades in zip(ranked.tolist(), relevant, strict=True)]
    judged = [values for values in found if values is not None]
    if not judged:
        raise CallError("No query has a relevant row, so nothing can be measured; look at the judgements (qrels)")
    means = np.mean(judged, axis=0)
    return {f"{name}@{k}": float(mean) for name, mean in zip(("ndcg", "recall", "mrr"), means, strict=True)}


def _masked(blocks: Iterable[np.ndarray], itself: Mapping[int, int]) -> Iterator[np.ndarray]:
    start = 0
    for block in blocks:
        for line in range(len(block)):
            if (row := itself.get(start + line)) is not None:
                block[line, row] = -np.inf
        start += len(block)
        yield block


def _of_query(rows: Sequence[int], grades: Mapping[int, float], k: int) -> tuple[float, float, float] | None:
    """nDCG, recall and reciprocal rank of one query; None where nothing is relevant to it."""
    gains = {row: grade for row, grade in grades.items() if grade > 0}
    if not gains:
        return None
    given = [gains.get(row, 0.0) for row in rows]
    ideal = sorted(gains.values(), reverse=True)[:k]
    first = next((rank for rank, gain in enumerate(given, start=1) if gain), None)
    recall = sum(gain > 0 for gain in given) / len(gains)
    return _dcg(given) / _dcg(ideal), recall, 1 / first if first else 0.0


def _dcg(gains: Sequence[float]) -> float:
    """Gains discounted by log2(rank + 1), the first rank being 1."""
    return float(sum(gain / np.log2(rank + 1) for rank, gain in enumerate(gains, start=1)))
