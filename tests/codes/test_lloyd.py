"""Lloyd-Max levels: the published ones, and those of values."""

import numpy as np
import pytest

from mlx_metaembed.codes import lloyd


def test_the_levels_of_the_normal_distribution_are_the_published_ones():
    """Max 1960, table I; the errors of one to four bits."""
    assert lloyd.normal(0) == ((0.0,), 1.0)
    assert lloyd.normal(1)[0] == pytest.approx([-0.7979, 0.7979], abs=1e-4)
    assert lloyd.normal(2)[0] == pytest.approx([-1.510, -0.4528, 0.4528, 1.510], abs=1e-3)
    errors = [lloyd.normal(bits)[1] for bits in range(1, 5)]
    assert errors == pytest.approx([0.3634, 0.1175, 0.03454, 0.009497], rel=1e-3)


def test_eight_bits_are_ascending_and_err_least():
    levels, error = lloyd.normal(8)
    assert len(levels) == 256 and np.all(np.diff(levels) > 0)
    assert 3e-5 < error < 5e-5


def test_levels_move_to_the_means_of_what_is_near_them():
    assert lloyd.refitted(np.array([0.0, 1, 9, 11]), np.array([0.0, 10.0])).tolist() == [0.5, 10.0]


def test_a_level_that_nothing_is_near_stays():
    assert lloyd.refitted(np.array([0.0, 2]), np.array([1.0, 50.0])).tolist() == [1.0, 50.0]
