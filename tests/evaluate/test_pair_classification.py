"""Average precision and the best thresholds of labelled pairs."""

import numpy as np
import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import pair_classification


def at(cosines: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of unit vectors with such cosines."""
    cosines = np.array(cosines)
    return np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1), np.tile([1.0, 0.0], (len(cosines), 1))


def test_five_pairs_by_hand():
    found = pair_classification.judge(*at([0.9, 0.8, 0.7, 0.6, 0.5]), [True, False, True, True, False]).figures(None)
    # Precision at each hit: 1/1, 2/3, 3/4. The first four: F1 2*3/(4+3), right are 3 hits and the last.
    assert found == pytest.approx(
        {
            "ap": (1 + 2 / 3 + 3 / 4) / 3,
            "f1": 6 / 7,
            "f1_threshold": 0.55,
            "accuracy": 4 / 5,
            "accuracy_threshold": 0.55,
        }
    )


def test_equal_cosines_fall_on_one_side():
    # One threshold alone: all four are taken, two of them rightly.
    found = pair_classification.judge(*at([0.5] * 4), [True, False, True, False]).figures(None)
    assert found == pytest.approx(
        {"ap": 1 / 2, "f1": 2 / 3, "f1_threshold": 0.5, "accuracy": 1 / 2, "accuracy_threshold": 0.5}
    )


def test_weights_count_a_pair_so_often():
    random = np.random.default_rng(0)
    left, right = (random.normal(size=(30, 4)).astype(np.float32) for _ in range(2))
    together, weights = random.random(30) < 0.4, random.integers(0, 4, 30)
    again = pair_classification.judge(*(np.repeat(each, weights, axis=0) for each in (left, right, together)))
    found = pair_classification.judge(left, right, together).figures(weights)
    assert {name: found[name] for name in pair_classification.FIGURES} == pytest.approx(
        {name: again.figures(None)[name] for name in pair_classification.FIGURES}
    )
    assert np.isnan(pair_classification.judge(left, right, together).figures(np.where(together, 0, 1))["ap"])


def test_it_is_sentence_transformers(sentence_transformers):
    from sentence_transformers.sentence_transformer.evaluation import BinaryClassificationEvaluator
    from sklearn.metrics import average_precision_score

    random = np.random.default_rng(2)
    left, right = (random.normal(size=(80, 8)).astype(np.float32) for _ in range(2))
    together = random.random(80) < 0.5
    found = pair_classification.judge(left, right, together).figures(None)
    cosines = np.sum(left * right, axis=1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    theirs = BinaryClassificationEvaluator
    accuracy = theirs.find_best_acc_and_threshold(cosines, together, True)
    f1 = theirs.find_best_f1_and_threshold(cosines, together, True)
    assert (found["accuracy"], found["accuracy_threshold"]) == pytest.approx(accuracy, abs=1e-6)
    assert (found["f1"], found["f1_threshold"]) == pytest.approx((f1[0], f1[3]), abs=1e-6)
    assert found["ap"] == pytest.approx(average_precision_score(together, cosines))


@pytest.mark.parametrize(("together", "word"), [([True] * 2, "belong together"), ([False] * 2, "are apart")])
def test_one_kind_of_pairs_is_refused(together, word):
    with pytest.raises(CallError, match=f"both labels, 1 and 0; all 2 pairs here {word}"):
        pair_classification.judge(np.eye(2), np.eye(2), together)
