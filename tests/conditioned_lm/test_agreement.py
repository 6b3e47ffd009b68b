"""Agreement of levels asked for and found, as arithmetic."""

import numpy as np
import pytest

from mlx_metaembed.conditioned_lm.agreement import distinct_2, judged, kappa, shares


def test_kappa_is_what_is_ahead_of_chance():
    asked, found = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0])
    # Agreement 3/4; chance 1/2 * 3/4 + 1/2 * 1/4 = 1/2.
    assert kappa(asked, found, 2, ordered=False) == pytest.approx((0.75 - 0.5) / 0.5)
    assert kappa(asked, asked, 2, ordered=False) == 1
    assert kappa(asked, 1 - asked, 2, ordered=False) == pytest.approx(-1)


def test_a_near_miss_costs_less_where_levels_have_an_order():
    asked, near, far = np.array([0, 1, 2, 2]), np.array([0, 1, 2, 1]), np.array([0, 1, 2, 0])
    # Squared distances: 1/4 on average, and 20/16 were the two paired by chance.
    expected = np.mean([(one - other) ** 2 for one in asked for other in near])
    assert expected == 1.25
    assert kappa(asked, near, 3, ordered=True) == pytest.approx(0.8)
    assert kappa(asked, far, 3, ordered=True) < kappa(asked, near, 3, ordered=True) - 0.2


def test_weights_count_texts_more_than_once():
    asked, found = np.array([0, 1, 1]), np.array([0, 1, 0])
    twice = kappa(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]), 2, ordered=False)
    assert kappa(asked, found, 2, False, np.array([2, 1, 1])) == pytest.approx(twice)


def test_one_level_alone_tells_nothing():
    assert np.isnan(kappa(np.zeros(3, int), np.zeros(3, int), 2, ordered=True))


def test_figures_of_all_digits_and_shares_of_the_ceiling():
    asked = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    half = asked.copy()
    half[:, 1] = [0, 0, 1, 0]
    found = judged(asked, half, ["era", "digit 2"], (2, 2), (True, False)).figures(None)
    assert found == {
        "era/kappa": 1.0, "era/exact": 1.0, "digit 2/kappa": 0.5, "digit 2/exact": 0.75, "all/kappa": 0.75,
        "all/exact": 0.875,
    }  # fmt: skip
    ceiling = judged(asked, asked, ["era", "digit 2"], (2, 2), (True, False))
    other = judged(asked, half, ["era", "digit 2"], (2, 2), (True, False))
    assert shares(other, ceiling, ["all"]).figures(None) == {"all/of_ceiling": 0.75}


def test_distinct_pairs_are_counted_over_as_many_pairs():
    found = distinct_2({"one": ["a b a b a b"], "other": ["a b c d", "a b", "x"]})
    # Pairs: ab ba ab ba ab, cut at the 4 of the other: ab bc cd, ab.
    assert found == {"one": 2 / 4, "other": 3 / 4}
    assert np.isnan(distinct_2({"one": ["a"]})["one"])
