"""Tokens as they are drawn."""

import numpy as np

from mlx_metaembed.conditioned_lm.sampling import drawn


class Thrown:
    """Random numbers that are given."""

    def __init__(self, *numbers: float):
        self._numbers = np.array(numbers)

    def random(self, count: int) -> np.ndarray:
        assert count == len(self._numbers)
        return self._numbers


def test_without_temperature_it_is_the_likeliest():
    logits = np.array([[1.0, 3.0, 2.0], [5.0, -1.0, 0.0]], np.float32)
    assert drawn(logits, 0, 1.0, Thrown(0.9, 0.9)).tolist() == [1, 0]


def test_shares_are_laid_out_from_the_likeliest():
    # Shares .5, .2, .3: 1 is drawn from .0 to .5, then 3 to .8, then 2.
    logits = np.log(np.array([[0.2, 0.5, 0.3]], np.float32)).repeat(4, axis=0)
    assert drawn(logits, 1.0, 1.0, Thrown(0.49, 0.51, 0.79, 0.81)).tolist() == [1, 2, 2, 0]


def test_temperature_makes_shares_even_or_steep():
    logits = np.log(np.array([[0.2, 0.8]], np.float32))
    # At 0.5 the shares are .04 to .64, so 16 of 17; at 2 they are 1 to 2.
    assert drawn(logits, 0.5, 1.0, Thrown(0.94)).tolist() == [1]
    assert drawn(logits, 0.5, 1.0, Thrown(0.95)).tolist() == [0]
    assert drawn(logits, 2.0, 1.0, Thrown(0.66)).tolist() == [1]
    assert drawn(logits, 2.0, 1.0, Thrown(0.67)).tolist() == [0]


def test_top_p_keeps_the_likeliest_that_reach_it():
    logits = np.log(np.array([[0.2, 0.5, 0.3]], np.float32))
    assert {int(drawn(logits, 1.0, 0.6, Thrown(at / 100))[0]) for at in range(100)} == {1, 2}
    assert {int(drawn(logits, 1.0, 0.4, Thrown(at / 100))[0]) for at in range(100)} == {1}


def test_what_can_not_be_is_not_drawn():
    logits = np.array([[-np.inf, 0.0, -np.inf]], np.float32)
    assert drawn(logits, 1.0, 1.0, Thrown(0.999999)).tolist() == [1]
