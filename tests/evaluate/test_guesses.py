"""Accuracy and macro F1 of guessed labels, by hand and as scikit-learn has them."""

import numpy as np
import pytest

from mlx_metaembed.evaluate.guesses import Guesses, macro_f1


def test_accuracy_and_macro_f1_by_hand():
    gold, guessed = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    # Label 0: precision 1, recall 2/3, F1 4/5; label 1: precision 1/2, recall 1, F1 2/3.
    assert macro_f1(gold, guessed, 2) == pytest.approx((4 / 5 + 2 / 3) / 2)
    # A label that is neither there nor guessed counts for nothing; one that is guessed alone counts as 0.
    assert macro_f1(gold, guessed, 3) == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert macro_f1(gold, np.array([0, 0, 2, 1]), 3) == pytest.approx((4 / 5 + 1 + 0) / 3)
    assert Guesses("", np.arange(4), gold, guessed, 2).figures(None)["accuracy"] == 3 / 4


def test_weights_count_a_guess_so_often():
    gold, guessed, weights = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 0]), np.array([3, 0, 1, 2])
    again = Guesses("x_", np.arange(6), np.repeat(gold, weights), np.repeat(guessed, weights), 2)
    found = Guesses("x_", np.arange(4), gold, guessed, 2).figures(weights)
    assert found == pytest.approx(again.figures(None)) and found["x_accuracy"] == 4 / 6


def test_macro_f1_is_scikit_learns(scikit_learn):
    from sklearn.metrics import f1_score

    random = np.random.default_rng(0)
    gold, guessed = random.integers(0, 7, 60), random.integers(0, 9, 60)
    assert macro_f1(gold, guessed, 12) == pytest.approx(f1_score(gold, guessed, average="macro", zero_division=0))
