"""Cuts of vectors to a width."""

import numpy as np
import pytest

from mlx_metaembed.codes.prefix import cut, unit
from mlx_metaembed.errors import CallError


def test_a_cut_has_unit_length_again():
    assert np.allclose(cut(np.array([[3.0, 4.0, 12.0]]), 2), [[3 / 5, 4 / 5]])


def test_a_cut_can_keep_its_length():
    assert cut(np.array([[3.0, 4.0, 12.0]]), 2, renormalize=False).tolist() == [[3.0, 4.0]]


def test_a_row_of_zeros_stays_zero():
    assert unit(np.array([[0.0, 0.0], [0.0, 2.0]])).tolist() == [[0.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize("width", [0, 4, -1])
def test_a_width_that_is_not_there_is_refused(width):
    with pytest.raises(CallError, match=f"3 dimensions can't be cut to {width}"):
        cut(np.ones((2, 3)), width)
