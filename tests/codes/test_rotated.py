"""Bits after a rotation: by hand, and unbiased at every number of bits."""

import numpy as np
import pytest
from coded_vectors import clustered

from mlx_metaembed.codes import kinds, rotation
from mlx_metaembed.codes.rotated import Rotated
from mlx_metaembed.errors import CallError


def test_two_bits_by_hand():
    codec = Rotated(2, 2, np.zeros(2, np.float32), np.eye(2, dtype=np.float32))
    codes = codec.encode(np.array([[3.0, -0.3]], np.float32))
    # Of length sqrt(9.09), a component is 3 / sqrt(9.09 / 2) = 1.407, nearest 1.510, and -.141, nearest -.4528:
    # digits 3 and 1, the high bits 1 0 and the low ones 1 1.
    assert codes[0, :2].tolist() == [0b1000_0000, 0b1100_0000]
    assert codes[0, 2:].view("<f2")[0] == pytest.approx(9.09 / (3 * 1.510 + 0.3 * 0.4528), rel=1e-3)
    assert codec.score(np.array([[3.0, -0.3]], np.float32), codes)[0, 0] == pytest.approx(9.09, rel=1e-3)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_scores_are_unbiased(bits: int):
    vectors = clustered(2_500, 96)
    codec = kinds.fit("rotated", vectors[:1_500], 12 * bits + 2)
    assert codec.bits == bits
    queries, searched = vectors[1_500:1_600], vectors[1_600:]
    found = codec.score(queries, codec.encode(searched))
    assert abs(np.polyfit((queries @ searched.T).ravel(), found.ravel(), 1)[0] - 1) < 0.02


def test_a_budget_under_one_bit_a_dimension_is_refused():
    with pytest.raises(CallError, match="rotated takes 14 to 98 bytes of a vector of 96 dimensions; that is one bit"):
        kinds.fit("rotated", clustered(50, 96), 13)


def test_a_rotation_keeps_lengths_and_hangs_on_the_seed():
    one, other = rotation.drawn(24, 0), rotation.drawn(24, 1)
    assert one @ one.T == pytest.approx(np.eye(24), abs=1e-5)
    assert np.array_equal(one, rotation.drawn(24, 0)) and not np.allclose(one, other)
    assert rotation.faults(one) == "" and "times as long" in rotation.faults(2 * one)
