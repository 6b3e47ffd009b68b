"""Intervals, and the difference between two models."""

import numpy as np
import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import bootstrap
from mlx_metaembed.evaluate.judgement import Judgement, of_means


def test_an_interval_of_a_mean_is_the_normal_one():
    # A thousand coins, 300 of them heads: 1.96 standard errors of sqrt(.3 * .7 / 1000) on either side.
    ends = bootstrap.intervals(of_means({"heads": np.repeat([1.0, 0.0], [300, 700])}), draws=4000)
    error = 1.96 * np.sqrt(0.3 * 0.7 / 1000)
    assert list(ends) == ["heads_low", "heads_high"]
    assert (ends["heads_low"], ends["heads_high"]) == pytest.approx((0.3 - error, 0.3 + error), abs=0.003)


def test_the_seed_decides():
    judged = of_means({"x": np.random.default_rng(0).random(30)})
    assert bootstrap.intervals(judged, draws=50) == bootstrap.intervals(judged, draws=50, seed=0)
    assert bootstrap.intervals(judged, draws=50) != bootstrap.intervals(judged, draws=50, seed=1)


def test_every_unit_is_drawn_alike():
    seen: list[np.ndarray] = []

    def figures(weights):
        seen.append(weights)
        return {"x": 0.0}

    bootstrap.intervals(Judgement(5, figures), draws=2000)
    assert all(weights.sum() == 5 for weights in seen)
    assert np.mean(seen, axis=0) == pytest.approx(np.ones(5), abs=0.1)


def test_draws_in_which_a_figure_is_undefined_tell_nothing():
    judged = Judgement(2, lambda weights: {"x": np.nan if weights is not None and weights[0] else 0.5, "y": np.nan})
    assert bootstrap.intervals(judged, draws=40) == {"x_low": 0.5, "x_high": 0.5}


def test_a_difference_is_drawn_in_pairs():
    values = np.random.default_rng(0).random(100)
    found = bootstrap.differences(of_means({"x": values}), of_means({"x": values + 0.01}), draws=200)
    # What is hard for both is hard in the same draws: the difference is .01 in each.
    assert found == pytest.approx(
        {"x_difference": 0.01, "x_difference_low": 0.01, "x_difference_high": 0.01, "x_p": 2 / 201}
    )


def test_equal_models_do_not_differ():
    judged = of_means({"x": np.random.default_rng(0).random(50)})
    found = bootstrap.differences(judged, judged, draws=100)
    assert (found["x_difference"], found["x_difference_low"], found["x_difference_high"], found["x_p"]) == (0, 0, 0, 1)


def test_p_is_that_of_a_sign_test():
    # Of 20 texts the second model wins 14 and loses 6: a two-sided binomial test gives .115.
    first, second = np.repeat([0.0, 1.0], [14, 6]), np.repeat([1.0, 0.0], [14, 6])
    found = bootstrap.differences(of_means({"x": first}), of_means({"x": second}), draws=4000)
    assert found["x_difference"] == pytest.approx(8 / 20) and 0.03 < found["x_p"] < 0.13


def test_models_judged_on_other_rows_are_refused():
    with pytest.raises(CallError, match="the same rows; found 2 and 3"):
        bootstrap.differences(of_means({"x": np.zeros(2)}), of_means({"x": np.zeros(3)}))
