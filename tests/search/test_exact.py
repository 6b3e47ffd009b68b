"""Exact search: scores, order, ties, blocks."""

import numpy as np
import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.search.exact import rankings, score_blocks, top

QUERIES = np.array([[1.0, 2.0]])
CORPUS = np.array([[3.0, 4.0], [0.0, 1.0]])


@pytest.mark.parametrize(
    ("similarity", "expected"),
    [
        ("dot", [1 * 3 + 2 * 4, 2]),
        ("cosine", [11 / (5**0.5 * 5), 2 / 5**0.5]),
        ("euclidean", [-((2**2 + 2**2) ** 0.5), -((1 + 1) ** 0.5)]),
        ("manhattan", [-(2 + 2), -(1 + 1)]),
    ],
)
def test_scores_by_hand(similarity, expected):
    assert np.allclose(next(score_blocks(QUERIES, CORPUS, similarity=similarity)), [expected])


def test_best_first_and_equal_scores_by_row():
    assert top(np.array([[1.0, 3.0, 2.0, 3.0, 3.0]]), 4).tolist() == [[1, 3, 4, 2]]
    assert top(np.array([[5.0, 5.0, 5.0, 5.0]]), 2).tolist() == [[0, 1]]


def test_top_is_the_stable_sort_on_scores_full_of_ties():
    scores = np.random.default_rng(0).integers(0, 5, size=(40, 60)).astype(np.float32)
    assert np.array_equal(top(scores, 10), np.argsort(-scores, axis=1, kind="stable")[:, :10])


def test_a_k_past_the_corpus_gives_every_row():
    assert top(np.array([[1.0, 2.0]]), 10).tolist() == [[1, 0]]


def test_minus_infinity_comes_last():
    assert top(np.array([[-np.inf, 0.0, 1.0]]), 3).tolist() == [[2, 1, 0]]


@pytest.mark.parametrize("similarity", ["dot", "cosine", "euclidean", "manhattan"])
def test_blocks_change_nothing(similarity):
    random = np.random.default_rng(0)
    queries, corpus = random.normal(size=(17, 6)), random.normal(size=(31, 6))
    whole = rankings(score_blocks(queries, corpus, similarity=similarity), 10)
    parts = rankings(score_blocks(queries, corpus, similarity=similarity, floats=100), 10)
    assert np.array_equal(whole[0], parts[0])
    assert np.allclose(whole[1], parts[1], atol=1e-6)
    assert np.all(np.diff(whole[1], axis=1) <= 0)


def test_a_block_holds_no_more_than_it_is_told():
    shapes = [block.shape for block in score_blocks(np.ones((10, 2)), np.ones((30, 2)), floats=100)]
    assert shapes == [(3, 30), (3, 30), (3, 30), (1, 30)]


def test_no_queries():
    rows, scores = rankings(score_blocks(np.empty((0, 2)), CORPUS), 10)
    assert rows.shape == scores.shape == (0, 10)


@pytest.mark.parametrize(
    ("queries", "corpus", "similarity", "message"),
    [
        (np.ones((1, 3)), CORPUS, "dot", "Queries of 3 dimensions can't search a corpus of 2"),
        (QUERIES, CORPUS, "cosin", "'cosin'; did you mean 'cosine'"),
        (QUERIES, np.array([[1, 2], [np.nan, 0], [np.inf, 0]]), "dot", "corpus: 2 vectors .* the first at row 1"),
        (np.ones(2), CORPUS, "dot", r"queries: expected vectors \[n, D\]"),
    ],
)
def test_what_can_not_be_searched_is_refused(queries, corpus, similarity, message):
    with pytest.raises(CallError, match=message):
        list(score_blocks(queries, corpus, similarity=similarity))
