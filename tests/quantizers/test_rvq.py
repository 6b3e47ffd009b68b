"""RVQ: sums by hand, a beam that sees further, digits alike on both engines, and where the gradient goes."""

import numpy as np
import pytest
from arrays import gradient_of, value_of

from mlx_metaembed.quantizers import rvq, rvq_codes, rvq_sum
from mlx_metaembed.xp import constant, namespace

BOOKS = np.array([[[0, 0], [4, 0], [0, 4]], [[0, 0], [1, 1], [-1, -1]]], np.float32)


def test_sums_by_hand(engine_name: str):
    x = np.array([[4.9, 1.2], [-1.1, -0.8], [0.2, 4.1]], np.float32)
    got = value_of(engine_name, lambda x: rvq_codes(x, constant(BOOKS, x)), x)
    assert got.tolist() == [[1, 1], [0, 2], [2, 0]]
    got = value_of(engine_name, lambda x: rvq(x, constant(BOOKS, x)), x)
    np.testing.assert_array_equal(got, [[5, 1], [-1, -1], [0, 4]])
    np.testing.assert_array_equal(rvq_sum(np.array([[1], [2]]), BOOKS), [[4, 0], [0, 4]])


def test_a_beam_finds_what_the_nearest_centroid_misses(engine_name: str):
    """3 is nearer to 4 than to 0, but 0 + 3 is exact."""
    books = np.array([[[0.0], [4.0]], [[3.0], [4.0]]], np.float32)
    x = np.array([[3.0]], np.float32)
    for beam, expected in ((1, [[1, 0]]), (2, [[0, 0]])):
        got = value_of(engine_name, lambda x, beam=beam: rvq_codes(x, constant(books, x), beam), x)
        assert got.tolist() == expected


@pytest.mark.parametrize("beam", [1, 3, 8])
def test_engines_choose_the_same_centroids(engine_name: str, beam: int):
    random = np.random.default_rng(1)
    x, books = (random.standard_normal(shape).astype(np.float32) for shape in ((64, 6), (4, 16, 6)))
    got = value_of(engine_name, lambda x: rvq_codes(x, constant(books, x), beam), x)
    np.testing.assert_array_equal(got, rvq_codes(x, books, beam))
    assert got.shape == (64, 4) and got.min() >= 0 and got.max() < 16


def test_more_of_a_beam_is_never_further():
    random = np.random.default_rng(2)
    x, books = (random.standard_normal(shape).astype(np.float32) for shape in ((200, 6), (4, 16, 6)))
    left = [np.mean((x - rvq_sum(rvq_codes(x, books, beam), books)) ** 2) for beam in (1, 4, 8)]
    assert left[0] > left[1] >= left[2]


def test_the_vector_has_the_gradient_at_the_sum(engine_name: str):
    x = np.array([[4.9, 1.2], [0.2, 4.1]], np.float32)
    at = np.array([[1, 2], [3, 4]], np.float32)
    got = gradient_of(engine_name, lambda x: namespace(x).sum(rvq(x, constant(BOOKS, x)) * constant(at, x)), x)
    np.testing.assert_array_equal(got, at)


def test_chosen_centroids_have_the_gradient_at_their_sums(engine_name: str):
    x = np.array([[4.9, 1.2], [3.9, 1.0], [0.2, 4.1]], np.float32)
    got = gradient_of(engine_name, lambda books: namespace(books).sum(rvq(constant(x, books), books)), BOOKS)
    np.testing.assert_array_equal(got[..., 0], [[0, 2, 1], [2, 1, 0]])
