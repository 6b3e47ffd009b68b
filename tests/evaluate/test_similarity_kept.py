"""The three measures of what a code keeps."""

import numpy as np
import pytest

from mlx_metaembed.codes import binary
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate.similarity_kept import cosine_spearman, ndcg_ratio, neighbours_kept


def vectors(count, width, seed):
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def test_the_same_vectors_keep_everything():
    sides = vectors(20, 8, 0), vectors(30, 8, 1)
    assert cosine_spearman(sides, sides) == pytest.approx(1)
    assert cosine_spearman(sides, (sides[0] * 5, sides[1] * 2)) == pytest.approx(1)
    assert cosine_spearman(sides, (-sides[0], sides[1])) == pytest.approx(-1)


def test_lengths_do_not_count():
    sides = vectors(20, 8, 0), vectors(30, 8, 1)
    longer = [side * np.arange(1, len(side) + 1)[:, None] for side in sides]
    assert cosine_spearman(sides, longer) == pytest.approx(1)


def test_unrelated_vectors_keep_nothing():
    sides, others = (vectors(100, 8, 0), vectors(200, 8, 1)), (vectors(100, 8, 2), vectors(200, 8, 3))
    assert abs(cosine_spearman(sides, others)) < 0.1


def test_a_float_query_keeps_more_than_signs():
    queries, corpus = vectors(100, 64, 0), vectors(200, 64, 1)
    signs = [binary.signs(binary.pack(side), 64) for side in (queries, corpus)]
    asymmetric = cosine_spearman((queries, corpus), (queries, signs[1]))
    symmetric = cosine_spearman((queries, corpus), (signs[0], signs[1]))
    assert 1 > asymmetric > symmetric > 0.5


def test_a_sample_takes_the_same_rows_on_both_sides():
    sides = vectors(700, 4, 0), vectors(900, 4, 1)
    assert cosine_spearman(sides, sides, seed=3) == pytest.approx(1)


def test_neighbours_are_counted_whatever_their_order():
    reference, ranked = np.array([[1, 2, 3, 4], [5, 6, 7, 8]]), np.array([[4, 3, 2, 1], [5, 9, 10, 11]])
    assert neighbours_kept(reference, ranked) == (4 + 1) / 8


def test_the_ratio_of_ndcg():
    assert ndcg_ratio(0.8, 0.6) == pytest.approx(0.75)
    assert ndcg_ratio(0.0, 0.6) is None


def test_sides_that_do_not_match_are_refused():
    with pytest.raises(CallError, match="same rows"):
        cosine_spearman((np.ones((2, 3)), np.ones((4, 3))), (np.ones((2, 3)), np.ones((5, 3))))
    with pytest.raises(CallError, match="equal shape"):
        neighbours_kept(np.ones((2, 10)), np.ones((2, 9)))
