"""Correlations against literal arithmetic."""

import numpy as np
import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import sts


def test_ranks_share_ties():
    assert sts.ranks(np.array([10, 30, 20, 20, 20])).tolist() == [1, 5, 3, 3, 3]
    assert sts.ranks(np.array([2.0, 2.0, 1.0])).tolist() == [2.5, 2.5, 1]


def test_pearson_by_hand():
    # Deviations (-1, 0, 1) and (-1, -1, 2): 3 / sqrt(2 * 6).
    assert sts.pearson([1, 2, 3], [1, 1, 4]) == pytest.approx(3 / (2 * 6) ** 0.5)


def test_spearman_by_hand():
    # Without ties, 1 - 6 * sum(d^2) / (n (n^2 - 1)); the ranks differ by 0, 1, 1, 0.
    assert sts.spearman([1, 2, 3, 4], [10, 30, 20, 40]) == pytest.approx(1 - 6 * 2 / (4 * 15))


def test_spearman_with_ties_by_hand():
    # Ranks (1, 2, 3) and (1.5, 1.5, 3): deviations (-1, 0, 1) and (-.5, -.5, 1).
    assert sts.spearman([1, 2, 3], [5, 5, 9]) == pytest.approx(1.5 / (2 * 1.5) ** 0.5)


def test_spearman_sees_the_order_only():
    values = np.random.default_rng(0).normal(size=50)
    assert sts.spearman(values, np.exp(values)) == pytest.approx(1)
    assert sts.spearman(values, -(values**3)) == pytest.approx(-1)
    assert sts.pearson(values, np.exp(values)) < 0.95


def test_a_constant_column_correlates_with_nothing():
    assert sts.pearson([1, 1, 1], [1, 2, 3]) == 0
    assert sts.spearman([1, 2, 3], [7, 7, 7]) == 0


def test_measure_compares_cosines_not_dot_products():
    left = np.array([[1.0, 0.0], [100.0, 0.0], [1.0, 0.0]])
    right = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    assert sts.measure(left, right, [5, 3, 1]) == {
        "spearman": pytest.approx(1),
        "pearson": pytest.approx(sts.pearson([1, 0.5**0.5, 0], [5, 3, 1])),
    }


@pytest.mark.parametrize("gold", [[], [1.0], [2.0, 2.0]], ids=str)
def test_scores_without_a_difference_are_refused(gold):
    vectors = np.ones((len(gold), 2))
    with pytest.raises(CallError, match="at least 2 pairs of different score"):
        sts.measure(vectors, vectors, gold)


def test_unequal_counts_are_refused():
    with pytest.raises(CallError, match="a score for each pair"):
        sts.measure(np.ones((2, 2)), np.ones((3, 2)), [1, 2])
