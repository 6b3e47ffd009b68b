"""The scalar codec: bits by variance, levels, and the scale."""

import numpy as np
import pytest
from coded_vectors import clustered

from mlx_metaembed.codes.scalar import Scalar, Unscaled, allocated


def by_hand(kind: type[Unscaled]) -> Unscaled:
    """Two components as they are, a bit each, levels at -0.8 and 0.8."""
    plain = np.float32
    return kind(
        2, (1,), np.zeros(2, plain), np.eye(2, dtype=plain), np.ones(2, plain), np.array([-0.8, 0.8], dtype=plain)
    )


def test_a_scale_makes_the_score_of_a_vector_with_itself_its_square():
    codec, vector = by_hand(Scalar), np.array([[0.5, -2.0]], np.float32)
    codes = codec.encode(vector)
    # Signs + and -, and (0.25 + 4) / (0.8 * 0.5 + 0.8 * 2) = 2.125 as a float16, lowest byte first.
    assert codes.tolist() == [[0b1000_0000, *np.array([2.125], "<f2").tobytes()]]
    assert codec.decode(codes)[0] == pytest.approx([1.7, -1.7])
    assert codec.score(vector, codes)[0, 0] == pytest.approx(4.25)


def test_without_a_scale_the_levels_are_what_comes_back():
    codec = by_hand(Unscaled)
    codes = codec.encode(np.array([[0.5, -2.0]], np.float32))
    assert codes.tolist() == [[0b1000_0000]]
    assert codec.decode(codes)[0] == pytest.approx([0.8, -0.8])
    assert codec.score(np.array([[1.0, 0.0], [1.0, 1.0]], np.float32), codes)[:, 0] == pytest.approx([0.8, 0.0])


def test_a_block_of_two_bits_is_two_bytes_the_higher_bit_first():
    levels = np.array([-3, -1, 1, 3], np.float32)
    codec = Unscaled(3, (2,), np.zeros(3, np.float32), np.eye(3, dtype=np.float32), np.ones(3, np.float32), levels)
    vectors = np.array([[-9.0, 0.5, 9.0]], np.float32)
    # Digits 0, 2, 3: high bits 0 1 1, low bits 0 0 1.
    assert codec.encode(vectors).tolist() == [[0b0110_0000, 0b0010_0000]]
    assert codec.decode(codec.encode(vectors)).tolist() == [[-3, 1, 3]]


def test_the_mean_itself_has_the_scale_one():
    codec = by_hand(Scalar)
    assert codec.encode(np.zeros((1, 2), np.float32))[0, 1:].view("<f2") == 1


def test_bytes_go_where_they_lower_the_error_most():
    """Gains of a byte are .6366, .2459, .0830, .0251 of a block's variance: 100, then 10, then 1 a component."""
    variances = np.repeat([100.0, 10.0, 1.0], 8)
    assert allocated(variances, 1) == (1,)
    assert allocated(variances, 3) == (3,)
    # 100 * .0830 = 8.3 comes before 10 * .6366, and that before 100 * .0251.
    assert allocated(variances, 4) == (3, 1)
    assert allocated(variances, 5) == (4, 1)
    assert sum(allocated(variances, 20)) == 20


def test_what_never_varies_gets_no_bits():
    assert allocated(np.array([4.0] * 8 + [0.0] * 8), 12) == (8,)


@pytest.mark.parametrize("size", [3, 8, 20, 34])
def test_the_bytes_asked_for_are_spent(size: int):
    vectors = clustered(400, 30)
    codec = Scalar.fit(vectors, size)
    assert codec.encode(vectors).shape == (400, min(size, codec.bytes_per_vector))
    assert codec.bytes_per_vector == size


def test_a_scale_makes_scores_unbiased_and_finds_more():
    """The slope of the score on the true one is near 1, with few bytes; without a scale it is below."""
    vectors = clustered(3_000, 64, seed=3)
    sample, queries, searched = vectors[:2_000], vectors[2_000:2_100], vectors[2_100:]
    slopes = []
    for kind in (Scalar, Unscaled):
        codec = kind.fit(sample, 10)
        true, found = queries @ searched.T, codec.score(queries, codec.encode(searched))
        slopes.append(np.polyfit(true.ravel(), found.ravel(), 1)[0])
    assert abs(slopes[0] - 1) < 0.1 and slopes[1] < slopes[0]


def test_more_bytes_lose_less():
    vectors = clustered(1_000, 48)
    errors = []
    for size in (6, 12, 24, 48):
        codec = Scalar.fit(vectors, size)
        errors.append(np.square(vectors - codec.decode(codec.encode(vectors))).sum())
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.05 * errors[0]
