"""FSQ: every level is reached, digits and values are inverse, the gradient passes straight through."""

import numpy as np
import pytest
from arrays import gradient_of, value_of

from mlx_metaembed.quantizers import fsq, fsq_digits, fsq_values
from mlx_metaembed.xp import namespace

LEVELS = (2, 3, 4, 5, 8)


def test_extremes_and_zero_by_hand():
    got = fsq(np.array([[-9.0] * 5, [0.0] * 5, [9.0] * 5], np.float32), LEVELS)
    assert fsq_digits(got, LEVELS).tolist() == [[0, 0, 0, 0, 0], [1, 1, 2, 2, 4], [1, 2, 3, 4, 7]]
    np.testing.assert_allclose(got[0], [-1, -1, -1, -1, -1])
    np.testing.assert_allclose(got[2], [1, 1, 0.5, 1, 0.75])


@pytest.mark.parametrize("level", LEVELS)
def test_a_sweep_meets_every_level_in_order(engine_name: str, level: int):
    sweep = np.linspace(-6, 6, 401, dtype=np.float32)[:, None]
    digits = fsq_digits(value_of(engine_name, lambda x: fsq(x, (level,)), sweep), (level,))[:, 0]
    assert (np.diff(digits) >= 0).all()
    assert sorted(set(digits.tolist())) == list(range(level))


def test_digits_and_values_are_inverse():
    random = np.random.default_rng(0)
    digits = np.stack([random.integers(0, level, 50) for level in LEVELS], axis=1)
    np.testing.assert_array_equal(fsq_digits(fsq_values(digits, LEVELS), LEVELS), digits)


def test_the_gradient_is_that_of_the_bound(engine_name: str):
    x = np.array([[0.3, -0.2]], np.float32)
    got = gradient_of(engine_name, lambda x: namespace(x).sum(fsq(x, (3, 5))), x)
    # Odd levels: tanh(x) * (L - 1) * 1.001 / 2, over L // 2.
    expected = [(1 - np.tanh(0.3) ** 2) * 1.001, (1 - np.tanh(-0.2) ** 2) * 1.001]
    np.testing.assert_allclose(got[0], expected, rtol=1e-5)


def test_two_levels_are_the_sign_and_its_gradient_the_bounds(engine_name: str):
    x = np.array([[-2.0, -0.1, 0.1, 2.0]], np.float32)
    assert value_of(engine_name, lambda x: fsq(x, (2,) * 4), x).tolist() == [[-1, -1, 1, 1]]
    got = gradient_of(engine_name, lambda x: namespace(x).sum(fsq(x, (2,) * 4)), x)
    np.testing.assert_allclose(got, (1 - np.tanh(x) ** 2) * 1.001, rtol=1e-5)


def test_engines_give_the_same_digits(engine_name: str):
    x = np.random.default_rng(3).standard_normal((200, 5)).astype(np.float32)
    got = value_of(engine_name, lambda x: fsq(x, LEVELS), x)
    np.testing.assert_array_equal(fsq_digits(got, LEVELS), fsq_digits(fsq(x, LEVELS), LEVELS))
