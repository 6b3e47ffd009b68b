"""Classification on vectors: leave-one-out neighbours, a regression, texts to learn from, and what is refused."""

import numpy as np
import pytest

from mlx_metaembed.data.rows import Labelled
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import classification, neighbours
from mlx_metaembed.evaluate.rows import Split


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


def test_blocks_leave_out_the_right_row(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(41, 4)).astype(np.float32)
    labels = [str(row % 3) for row in range(41)]
    whole = classification.measure(vectors, vectors, labels)
    blocks = neighbours.score_blocks
    monkeypatch.setattr(neighbours, "score_blocks", lambda *sides, **kw: blocks(*sides, **kw, floats=41 * 5))
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


CIRCLE = np.concatenate([around(0, 10), around(90, 10), around(180, 10)])
NAMES = ["a"] * 10 + ["b"] * 10 + ["c"] * 10


def test_a_regression_stands_beside_the_neighbours():
    found = classification.judge(CIRCLE, CIRCLE, NAMES).figures(None)
    assert found == {"accuracy": 1.0, "macro_f1": 1.0, "logistic_accuracy": 1.0, "logistic_macro_f1": 1.0}


def test_a_fifth_of_each_label_is_held_out():
    gold = np.array([0] * 10 + [1] * 5 + [2] * 2 + [3])
    held = classification.split(gold, seed=3)
    assert np.bincount(gold[held], minlength=4).tolist() == [2, 1, 1, 0]
    assert held.tolist() == sorted(set(held.tolist()))
    assert held.tolist() == classification.split(gold, seed=3).tolist() != classification.split(gold, seed=4).tolist()


def test_training_texts_are_what_is_learnt_from():
    # The texts to judge have their neighbours' labels the other way round, which leave-one-out would not see.
    test, labels = np.concatenate([around(2, 3), around(92, 3)]), ["b"] * 3 + ["a"] * 3
    found = classification.judge(test, CIRCLE, labels, NAMES, k=3).figures(None)
    assert (found["accuracy"], found["logistic_accuracy"]) == (0.0, 0.0)
    found = classification.judge(test, CIRCLE, ["a"] * 3 + ["b"] * 3, NAMES, k=3).figures(None)
    # Label c is neither there nor guessed, and counts for nothing.
    assert set(found.values()) == {1.0}


def test_a_label_without_a_training_text_is_wrong_and_named():
    found = classification.judge(CIRCLE[:20], CIRCLE, ["a"] * 10 + ["new"] * 10, NAMES, k=3).figures(None)
    # a: 1; new: 0 of 10; b was guessed ten times, and is not there.
    assert found["accuracy"] == found["logistic_accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx((1 + 0 + 0) / 3)
    notes = Split(Labelled(["x", "y"], ["a", "new"]), Labelled(["x"], ["a"])).notes
    assert notes == (
        "1 texts are also among the training texts",
        "1 labels are in no training text, like 'new'; none can be right",
    )


@pytest.mark.parametrize(
    ("labels", "training", "message"),
    [
        (["a", "b"], ["a", "a"], "at least 2 different labels; found 1 in the training texts"),
        (["x", "y"], ["a", "b"], "No label of the texts is in the training texts"),
        (["a", "b", "c"], None, "each of the 3 has one of its own"),
        (["a", "a"], None, "at least 2 different labels; found 1"),
    ],
)
def test_labels_that_nothing_can_be_learnt_from_are_refused(labels, training, message):
    with pytest.raises(CallError, match=message):
        classification.require_learnable(labels, training)


def test_a_draw_without_a_text_that_was_guessed_has_no_figure():
    judged = classification.judge(CIRCLE, CIRCLE, NAMES)
    weights = np.ones(30, np.int64)
    weights[classification.split(np.repeat([0, 1, 2], 10))] = 0
    found = judged.figures(weights)
    assert found["accuracy"] == 1 and np.isnan(found["logistic_accuracy"])
