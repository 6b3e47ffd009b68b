"""Where heads of scores begin: the probes, beside their definitions."""

import numpy as np
import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.heads import probe_start

RANDOM = np.random.default_rng(0)


def scores(layer: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    return x @ layer["linear.weight"].T + layer["linear.bias"]


def test_a_regression_finds_the_plane_that_scores_lie_on():
    x, weight = RANDOM.standard_normal((200, 6)), np.array([1.0, -2, 0, 0.5, 3, 0])
    layer = probe_start.regression(x, x @ weight + 4)
    np.testing.assert_allclose(layer["linear.weight"], weight[None], atol=2e-3)
    np.testing.assert_allclose(layer["linear.bias"], [4], atol=2e-3)
    assert layer["linear.weight"].dtype == np.float32


def test_a_regression_is_ridge_of_the_penalty_with_the_least_generalised_cross_validation():
    x, y = RANDOM.standard_normal((30, 20)), RANDOM.standard_normal(30)
    centred, unit = x - x.mean(0), ((x - x.mean(0)) ** 2).sum() / 20

    def ridge(penalty: float) -> tuple[float, np.ndarray]:
        solve = np.linalg.solve(centred.T @ centred + penalty * np.eye(20), centred.T)
        rest = y - y.mean() - centred @ solve @ (y - y.mean())
        return 30 * rest @ rest / (29 - np.trace(centred @ solve)) ** 2, solve @ (y - y.mean())

    best = min((ridge(each * unit) for each in probe_start.PENALTIES), key=lambda each: each[0])[1]
    np.testing.assert_allclose(probe_start.regression(x, y)["linear.weight"][0], best, atol=1e-6)


def test_a_regression_of_noise_says_little_more_than_the_mean():
    x, y = RANDOM.standard_normal((60, 50)), RANDOM.standard_normal(60)
    layer = probe_start.regression(x, y)
    assert np.std(scores(layer, RANDOM.standard_normal((500, 50)))) < 0.5


def test_equal_scores_give_the_bias_alone():
    layer = probe_start.regression(RANDOM.standard_normal((5, 8)), np.full(5, 2.5))
    np.testing.assert_array_equal(layer["linear.weight"], np.zeros((1, 8)))
    np.testing.assert_allclose(layer["linear.bias"], [2.5])


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_texts_give_a_bias(count):
    layer = probe_start.regression(RANDOM.standard_normal((count, 4)), np.full(count, 3.0))
    np.testing.assert_allclose(scores(layer, np.ones((1, 4))), [[3.0]], atol=1e-6)


def test_classes_are_told_apart_with_log_odds_that_fit():
    labels = np.arange(600) % 3
    x = RANDOM.standard_normal((600, 8)) + np.eye(8)[labels] * 3
    layer = probe_start.classification(x, labels, 3)
    others = RANDOM.standard_normal((600, 8)) + np.eye(8)[labels] * 3
    found = scores(layer, others)
    assert np.mean(found.argmax(1) == labels) > 0.95
    assert probe_start._cross_entropy(found, labels) < 0.15


def test_few_vectors_of_many_features_are_not_too_sure():
    labels = np.arange(100) % 10
    middles = RANDOM.standard_normal((10, 64))
    x, others = (middles[labels] + 2 * RANDOM.standard_normal((100, 64)) for _ in range(2))
    layer = probe_start.classification(x, labels, 10)
    found = scores(layer, others)
    assert np.mean(found.argmax(1) == labels) > 0.5
    assert probe_start._cross_entropy(found, labels) < np.log(10)


def test_a_class_without_a_text_is_the_least_likely():
    x, labels = RANDOM.standard_normal((40, 4)), np.arange(40) % 2
    layer = probe_start.classification(x, labels, 3)
    assert scores(layer, x).mean(0).argmin() == 2


def test_a_start_that_is_not_known_is_refused():
    with pytest.raises(CallError, match=r"start = 'prob' is not known.*probe"):
        probe_start.require("prob")
