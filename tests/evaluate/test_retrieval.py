"""nDCG, recall and MRR against literal arithmetic."""

from math import log2

import numpy as np
import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import retrieval
from mlx_metaembed.search.exact import score_blocks


def test_one_query_by_hand():
    ranked = np.array([[7, 3, 9, 1]])
    # 3 and 1 are found at ranks 2 and 4; 5 is missed.
    found = retrieval.measure_ranked(ranked, [{3: 1, 1: 1, 5: 1}])
    assert found["ndcg@10"] == pytest.approx((1 / log2(3) + 1 / log2(5)) / (1 / log2(2) + 1 / log2(3) + 1 / log2(4)))
    assert found["recall@10"] == pytest.approx(2 / 3)
    assert found["mrr@10"] == pytest.approx(1 / 2)


def test_gains_are_the_grades_themselves():
    ranked = np.array([[4, 2]])
    found = retrieval.measure_ranked(ranked, [{2: 3, 4: 1}])
    assert found["ndcg@10"] == pytest.approx((1 / log2(2) + 3 / log2(3)) / (3 / log2(2) + 1 / log2(3)))
    exponential = (1 / log2(2) + 7 / log2(3)) / (7 / log2(2) + 1 / log2(3))
    assert found["ndcg@10"] != pytest.approx(exponential)


def test_a_query_that_is_in_the_corpus_is_no_answer_to_itself():
    scores = np.array([[0.9, 0.5, 0.1], [0.2, 0.9, 0.3], [0.1, 0.2, 0.3]], np.float32)
    ranked = retrieval.ranked_without([scores[:2].copy(), scores[2:].copy()], {0: 0, 2: 2}, 3)
    assert ranked.tolist() == [[1, 2, -1], [1, 2, 0], [1, 0, -1]]
    # As in BEIR, a judgement of the query's own text stays in the ideal: it can't be earned.
    found = retrieval.measure_ranked(ranked[:1], [{0: 1, 1: 1}])
    assert found["ndcg@10"] == pytest.approx(1 / (1 + 1 / log2(3)))


def test_a_grade_of_zero_or_less_is_not_relevant():
    found = retrieval.measure_ranked(np.array([[0, 1, 2]]), [{0: 0, 1: -1, 2: 1}])
    assert found["ndcg@10"] == pytest.approx(1 / log2(4)) and found["recall@10"] == 1
    assert found["mrr@10"] == found["map@10"] == pytest.approx(1 / 3) and found["precision@10"] == 1 / 10


def test_only_the_first_k_count():
    ranked = np.array([[5, 6, 1]])
    assert retrieval.measure_ranked(ranked, [{1: 1}], k=2) == dict.fromkeys(retrieval.names([2]), 0.0)
    # Three relevant, k = 2: the ideal list has two of them, recall still counts three.
    found = retrieval.measure_ranked(np.array([[1, 2, 3]]), [{1: 1, 2: 1, 3: 1}], k=2)
    assert found == pytest.approx({"ndcg@2": 1, "recall@2": 2 / 3, "mrr@2": 1, "map@2": 2 / 3, "precision@2": 1})


def test_queries_are_averaged_and_those_without_a_relevant_row_left_out():
    ranked = np.array([[0, 1], [0, 1], [0, 1]])
    found = retrieval.measure_ranked(ranked, [{0: 1}, {}, {1: 1}])
    assert found["mrr@10"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["ndcg@10"] == pytest.approx((1 + 1 / log2(3)) / 2)


def test_measure_searches_by_dot_product():
    corpus = np.eye(4, dtype=np.float32)
    queries = np.array([[0.1, 0.9, 0.2, 0.0], [0.0, 0.1, 0.2, 0.3]], np.float32)
    found = retrieval.measure(queries, corpus, [{1: 1}, {2: 1}], k=3)
    assert found["mrr@3"] == pytest.approx((1 / 1 + 1 / 2) / 2)


def test_equal_scores_are_ordered_by_row():
    corpus = np.ones((5, 2), np.float32)
    found = retrieval.measure(np.ones((1, 2), np.float32), corpus, [{2: 1}])
    assert found["mrr@10"] == pytest.approx(1 / 3)


def test_blocks_give_what_the_whole_gives():
    random = np.random.default_rng(0)
    queries, corpus = (random.normal(size=(count, 8)).astype(np.float32) for count in (23, 40))
    relevant = [{int(row): 1.0} for row in random.integers(0, 40, 23)]
    whole = retrieval.measure(queries, corpus, relevant)
    assert retrieval.measure_blocks(score_blocks(queries, corpus, floats=7 * 40), relevant) == whole
    assert retrieval.measure_blocks([queries @ corpus.T], relevant) == whole


def test_a_perfect_search_scores_one_whatever_the_order_of_the_corpus():
    random = np.random.default_rng(1)
    corpus = np.linalg.qr(random.normal(size=(30, 30)))[0].astype(np.float32)
    order = random.permutation(30)
    found = retrieval.measure(corpus[order], corpus, [{int(row): 2.5} for row in order])
    assert found.pop("precision@10") == pytest.approx(1 / 10)
    assert found == dict.fromkeys(("ndcg@10", "recall@10", "mrr@10", "map@10"), 1.0)


def test_the_figures_are_those_of_trec_eval(trec_eval):
    from pytrec_eval import RelevanceEvaluator

    random, ks = np.random.default_rng(0), (1, 5, 100)
    scores = random.normal(size=(30, 120))
    graded = [{int(row): float(random.integers(0, 4)) for row in random.integers(0, 120, 9)} for _ in scores]
    found = retrieval.by_query(np.argsort(-scores, axis=1), graded, ks)
    judged = [at for at, grades in enumerate(graded) if max(grades.values()) > 0]
    qrels = {str(at): {f"d{row}": int(grade) for row, grade in graded[at].items()} for at in judged}
    run = {str(at): {f"d{row}": float(score) for row, score in enumerate(scores[at])} for at in judged}
    theirs = {"ndcg": "ndcg_cut", "map": "map_cut", "recall": "recall", "precision": "P"}
    told = RelevanceEvaluator(qrels, {f"{name}.1,5,100" for name in theirs.values()}).evaluate(run)
    for name, word in theirs.items():
        for k in ks:
            assert found[f"{name}@{k}"] == pytest.approx([told[str(at)][f"{word}_{k}"] for at in judged])


def test_judgements_of_another_number_of_queries_are_refused():
    with pytest.raises(CallError, match="1 queries were ranked, 2 have judgements"):
        retrieval.measure_ranked(np.array([[0]]), [{0: 1}, {0: 1}])


def test_nothing_relevant_is_refused():
    with pytest.raises(CallError, match="No query has a relevant row"):
        retrieval.measure_ranked(np.array([[0]]), [{0: 0}])
