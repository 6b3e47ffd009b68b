"""Where code heads begin: what the starts are, and that the best of them is taken."""

import numpy as np
import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.heads import Fsq, code_start


def sample(n: int = 400, seed: int = 0) -> np.ndarray:
    """Vectors whose variance lies in few directions, turned away from the axes."""
    random = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(random.standard_normal((16, 16)))
    return random.standard_normal((n, 16)) * np.geomspace(4, 0.05, 16) @ rotation + 0.5


@pytest.mark.parametrize("start", code_start.STARTS)
def test_digits_begin_in_balance(start: str):
    x, levels = sample(), (2,) * 8
    _, arrays = code_start.best(x, levels, 0, start)
    head = Fsq(16, levels, "float")
    assert {name: array.shape for name, array in arrays.items()} == head.shapes()
    projected = x @ arrays["projection.weight"].T + arrays["projection.bias"]
    np.testing.assert_allclose(projected.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(projected.std(0), 1, atol=1e-4)
    ones = head.digits(head(arrays, x.astype(np.float32))).mean(0)
    assert np.all((ones > 0.4) & (ones < 0.6))


def test_a_query_has_the_number_that_a_digit_stands_for():
    """By hand: features +-3 and +-1; the sign of the first stands for 3, of the second for 1."""
    x = np.array([[3, 1], [3, -1], [-3, 1], [-3, -1]] * 10, np.float64)
    _, arrays = code_start.best(x, (2, 2), 0, "pca")
    ratio = np.abs(arrays["query.weight"]).max(1)
    np.testing.assert_allclose(ratio[0] / ratio[1], 3, rtol=1e-6)
    np.testing.assert_allclose(np.abs(arrays["projection.weight"]), [[1 / 3, 0], [0, 1]], atol=1e-6)


def test_the_start_that_finds_most_neighbours_is_taken():
    """Where the first features have nearly no variance, a prefix finds nothing."""
    x = sample()
    assert code_start.best(x, (2,) * 6, 0)[0] in ("pca", "rotated_pca")
    axes = np.random.default_rng(1).standard_normal((400, 16)) * np.array([1.0] * 6 + [1e-3] * 10)
    name, _ = code_start.best(axes, (4,) * 6, 0)
    assert name in code_start.STARTS


def test_more_digits_than_features_turn_the_whole_space():
    x, levels = sample(), (2,) * 40
    name, arrays = code_start.best(x, levels, 0)
    assert name == "rotated_pca" and arrays["projection.weight"].shape == (40, 16)


def test_the_same_seed_gives_the_same_start():
    x = sample()
    first, again, other = (code_start.best(x, (2,) * 8, seed, "rotated_pca")[1] for seed in (3, 3, 4))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["query.weight"], other["query.weight"])


@pytest.mark.parametrize(
    ("start", "digits", "message"),
    [
        ("pac", 8, "start = 'pac' is not known.*pca"),
        (3, 8, "start = 3 is not known; known: auto, random, prefix, pca, rotated_pca"),
        ("prefix", 20, "start = 'prefix' has 16 features for 20 digits; choose rotated_pca or auto"),
    ],
)
def test_starts_that_are_none(start: object, digits: int, message: str):
    with pytest.raises(CallError, match=message):
        code_start.require(start, digits, 16)
