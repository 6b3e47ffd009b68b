"""Leave-one-out nearest neighbours."""

import numpy as np
import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import classification


def around(angle, count):
    """Unit vectors near an angle in degrees."""
    angles = np.radians(angle + np.arange(count))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_clusters_are_told_apart():
    vectors = np.concatenate([around(0, 5), around(90, 5), around(180, 5)])
    labels = ["a"] * 5 + ["b"] * 5 + ["c"] * 5
    assert classification.measure(vectors, vectors, labels, k=3) == {"accuracy": 1.0, "macro_f1": 1.0}


def test_a_text_is_not_its_own_neighbour():
    # Each text's only twin has the other label: by itself every text would be right.
    vectors = np.concatenate([around(0, 1), around(0.1, 1), around(90, 1), around(90.1, 1)])
    assert classification.measure(vectors, vectors, ["a", "b", "a", "b"], k=1)["accuracy"] == 0.0


def test_a_long_vector_is_no_nearer():
    vectors = np.concatenate([around(0, 3), around(60, 3) * 100])
    assert classification.measure(vectors, vectors, ["a"] * 3 + ["b"] * 3, k=1)["accuracy"] == 1.0


def test_accuracy_and_macro_f1_by_hand():
    gold, guessed = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    # Label 0: precision 1, recall 2/3, F1 4/5; label 1: precision 1/2, recall 1, F1 2/3; label 2: never there.
    assert classification.macro_f1(gold, guessed, 2) == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert classification.macro_f1(gold, guessed, 3) == pytest.approx((4 / 5 + 2 / 3 + 0) / 3)


def test_the_majority_wins_over_the_nearest():
    assert classification.vote(np.array([[0, 1, 1]]), np.array([[1.0, 0.1, 0.1]]), 2).tolist() == [1]


def test_a_tie_goes_to_the_nearer_side():
    labels, cosines = np.array([[0, 1, 1, 0]]), np.array([[0.9, 0.8, 0.7, 0.1]])
    assert classification.vote(labels, cosines, 2).tolist() == [1]
    assert classification.vote(labels, np.array([[0.9, 0.8, 0.7, 0.65]]), 2).tolist() == [0]


def test_a_neighbour_pointing_away_still_has_its_vote():
    assert classification.vote(np.array([[0, 1, 1]]), np.array([[1.0, -1.0, -1.0]]), 2).tolist() == [1]


def test_blocks_leave_out_the_right_row(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(41, 4)).astype(np.float32)
    labels = [str(row % 3) for row in range(41)]
    whole = classification.measure(vectors, vectors, labels)
    blocks = classification.score_blocks
    monkeypatch.setattr(classification, "score_blocks", lambda *sides, **kw: blocks(*sides, **kw, floats=41 * 5))
    assert classification.measure(vectors, vectors, labels) == whole


def test_fewer_texts_than_neighbours():
    vectors = around(0, 3)
    assert classification.measure(vectors, vectors, ["a", "a", "b"], k=10)["accuracy"] in (1 / 3, 2 / 3)


def test_a_single_label_is_refused():
    with pytest.raises(CallError, match="at least 2 different labels; found 1"):
        classification.measure(np.ones((3, 2)), np.ones((3, 2)), ["a"] * 3)


def test_unequal_counts_are_refused():
    with pytest.raises(CallError, match="2 vectors, 1 labels"):
        classification.measure(np.ones((2, 2)), np.ones((2, 2)), ["a"])
