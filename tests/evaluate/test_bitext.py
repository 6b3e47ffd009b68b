"""Sentences of two sides, found from each other."""

import numpy as np
import pytest

from mlx_metaembed.evaluate import bitext
from mlx_metaembed.evaluate.rows import Translations

FIRST = np.eye(4, dtype=np.float32)


def test_four_pairs_by_hand():
    # Each sentence finds its own but the last, which finds the first; back, the first finds the last.
    second = FIRST[[0, 1, 2, 0]] + np.array([[0, 0, 0, 0.1]] * 3 + [[-0.1, 0, 0, 0.05]], np.float32)
    second[0] = [0.5, 0, 0, 2.0]
    judged = bitext.judge(FIRST, second, [(n, n) for n in range(4)], similarity="dot")
    # 0 finds 3 (0.9 over 0.5), 3 finds 0 (2.0); back, 0 finds 3 and 3 finds 0.
    assert judged.figures(None) == {"f1": 0.5, "accuracy": 0.5, "reverse_accuracy": 0.5}


def test_f1_counts_what_was_found_wrongly():
    # All find the first: accuracy 1/3; of the first one precision 1/3 and recall 1, F1 1/2, weighted by a third.
    judged = bitext.judge(np.ones((3, 1)), np.array([[3.0], [2], [1]]), [(n, n) for n in range(3)], similarity="dot")
    assert judged.figures(None) == pytest.approx({"f1": 1 / 6, "accuracy": 1 / 3, "reverse_accuracy": 1 / 3})


def test_equal_sentences_are_one():
    rows = Translations.of(["a", "b", "a", "c"], ["x", "x", "x", "z"])
    assert (rows.first, rows.second, rows.places) == (["a", "b", "c"], ["x", "z"], [(0, 0), (1, 0), (2, 1)])


def test_weights_count_a_pair_so_often(scikit_learn):
    from sklearn.metrics import f1_score

    random = np.random.default_rng(0)
    first, second = (random.normal(size=(12, 3)).astype(np.float32) for _ in range(2))
    weights = random.integers(0, 4, 12)
    found = bitext.judge(first, second, [(n, n) for n in range(12)], similarity="dot").figures(weights)
    gold, guessed = np.arange(12), np.argmax(first @ second.T, axis=1)
    theirs = f1_score(gold, guessed, average="weighted", sample_weight=weights, zero_division=0)
    assert found["f1"] == pytest.approx(theirs)
    assert found["accuracy"] == pytest.approx(np.average(gold == guessed, weights=weights))


def test_it_is_sentence_transformers(sentence_transformers, tiny):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.evaluation import TranslationEvaluator

    model = SentenceTransformer(str(tiny), device="cpu")
    sides = (
        ["sort a list", "open a socket", "join paths", "read"],
        ["a list to sort", "socket", "two paths", "a file"],
    )
    theirs = TranslationEvaluator(*sides, batch_size=4)(model)
    vectors = [model.encode(side) for side in sides]
    found = bitext.judge(*vectors, [(n, n) for n in range(4)], similarity="cosine").figures(None)
    assert found["accuracy"] == theirs["src2trg_accuracy"]
    assert found["reverse_accuracy"] == theirs["trg2src_accuracy"]
