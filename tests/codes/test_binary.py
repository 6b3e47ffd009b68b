"""Binary codes: the bits, and both ways to score them."""

import numpy as np
import pytest

from mlx_metaembed.codes import binary


def vectors(count, width, seed=0):
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def test_the_first_dimension_is_the_highest_bit_and_zero_is_not_above_zero():
    assert binary.pack(np.array([[1.0, -1.0, 0.0, 0.5, -2.0, -2.0, -2.0, -2.0]])).tolist() == [[0b10010000]]


@pytest.mark.parametrize("width", [1, 7, 8, 9, 384])
def test_signs_come_back_at_any_width(width):
    found = vectors(20, width)
    packed = binary.pack(found)
    assert packed.shape == (20, binary.bytes_per_vector(width))
    assert np.array_equal(binary.signs(packed, width), np.where(found > 0, 1, -1))


def test_distances_count_the_bits_that_differ():
    left, right = np.array([[0b11110000, 1]], np.uint8), np.array([[0b11111111, 0], [0b11110000, 1]], np.uint8)
    assert binary.distances(left, right).tolist() == [[4 + 1, 0]]


@pytest.mark.parametrize("width", [5, 64, 100])
def test_symmetric_scores_are_cosines_of_signs(width):
    left, right = vectors(6, width), vectors(9, width, seed=1)
    expected = np.sign(left) @ np.sign(right).T / width
    assert np.allclose(binary.symmetric(binary.pack(left), binary.pack(right), width), expected, atol=1e-6)


def test_asymmetric_scores_are_cosines_of_a_unit_query_with_signs():
    queries = np.array([[0.6, -0.8, 0.0, 0.0]], np.float32)
    packed = binary.pack(np.array([[1.0, -1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]))
    expected = [[(0.6 + 0.8) / 2, (0.6 - 0.8) / 2]]
    assert np.allclose(binary.asymmetric(queries, packed), expected)


def test_a_float_query_finds_more_than_signs_do():
    found = vectors(2000, 64)
    queries, codes = found[:100] + 0.3 * vectors(100, 64, seed=1), binary.pack(found)
    best = np.argmax(queries @ found.T, axis=1)
    asymmetric = np.mean(np.argmax(binary.asymmetric(queries, codes), axis=1) == best)
    symmetric = np.mean(np.argmax(binary.symmetric(binary.pack(queries), codes, 64), axis=1) == best)
    assert asymmetric >= symmetric > 0.5


def test_bytes_round_up():
    assert [binary.bytes_per_vector(width) for width in (1, 8, 9, 384)] == [1, 1, 2, 48]
