"""Candidates of a query in the order of their scores."""

from math import log2

import numpy as np
import pytest

from mlx_metaembed.data.rows import Pairs
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import reranking
from mlx_metaembed.evaluate.rows import Candidates

DOCUMENTS = np.array([[0.9, 0], [0.7, 0], [0.5, 0], [0.3, 0], [0.1, 0]], np.float32)


def test_one_query_by_hand():
    # In order: 0 (negative), 1 (positive), 2 (negative), 3 (positive).
    judged = reranking.judge(np.array([[1.0, 0.0]]), DOCUMENTS, [([3, 1], [2, 0])], (1, 10), similarity="dot")
    assert judged.figures(None) == pytest.approx(
        {
            "map": (1 / 2 + 2 / 4) / 2,
            "mrr@1": 0,
            "ndcg@1": 0,
            "mrr@10": 1 / 2,
            "ndcg@10": (1 / log2(3) + 1 / log2(5)) / (1 + 1 / log2(3)),
        }
    )


def test_a_model_that_gives_one_vector_ranks_at_the_bottom():
    judged = reranking.judge(np.ones((1, 2)), np.ones((4, 2)), [([0], [1, 2, 3])], similarity="cosine")
    assert judged.figures(None)["map"] == 1 / 4


def test_queries_are_averaged_each_over_its_own_candidates():
    queries = np.array([[1.0, 0.0], [-1.0, 0.0]], np.float32)
    judged = reranking.judge(queries, DOCUMENTS, [([0], [1]), ([0], [3, 4])], similarity="dot")
    assert judged.figures(None)["map"] == pytest.approx((1 + 1 / 3) / 2)
    assert judged.figures(np.array([3, 1]))["map"] == pytest.approx((3 + 1 / 3) / 4)


def test_candidates_of_pairs():
    rows = Candidates.of(
        Pairs(["q", "q", "r", "s"], ["a", "b", "c", "d"], [("x", "b"), ("x",), (), ("y",)], notes=("said",))
    )
    assert (rows.queries, rows.documents) == (["q", "s"], ["a", "x", "b", "c", "d", "y"])
    # b is a positive of q, whatever its other row says.
    assert rows.candidates == [([0, 2], [1]), ([4], [5])]
    assert rows.notes == ("said", "1 queries without a negative are left out: there is nothing to rank")
    with pytest.raises(CallError, match="needs negatives"):
        Candidates.of(Pairs(["q"], ["a"], [()]))


def test_it_is_sentence_transformers(sentence_transformers, tiny):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.evaluation import RerankingEvaluator

    model = SentenceTransformer(str(tiny), device="cpu")
    samples = [
        {"query": "open a path", "positive": ["open a socket", "join two paths"], "negative": ["sort", "parse a file"]},
        {"query": "list of files", "positive": ["walk a tree"], "negative": ["read a line", "return it", "two"]},
    ]
    theirs = RerankingEvaluator(samples, at_k=10)(model)
    rows = Candidates.of(
        Pairs(
            [each["query"] for each in samples for _ in each["positive"]],
            [text for each in samples for text in each["positive"]],
            [tuple(each["negative"]) for each in samples for _ in each["positive"]],
        )
    )
    sides = [model.encode(texts) for texts in (rows.queries, rows.documents)]
    found = reranking.judge(*sides, rows.candidates, similarity="cosine").figures(None)
    assert found == pytest.approx({name: theirs[name] for name in ("map", "mrr@10", "ndcg@10")})
