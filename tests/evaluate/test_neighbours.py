"""The vote of the nearest neighbours."""

import numpy as np

from mlx_metaembed.evaluate import neighbours


def test_the_majority_wins_over_the_nearest():
    assert neighbours.vote(np.array([[0, 1, 1]]), np.array([[1.0, 0.1, 0.1]]), 2).tolist() == [1]


def test_a_tie_goes_to_the_nearer_side():
    labels, cosines = np.array([[0, 1, 1, 0]]), np.array([[0.9, 0.8, 0.7, 0.1]])
    assert neighbours.vote(labels, cosines, 2).tolist() == [1]
    assert neighbours.vote(labels, np.array([[0.9, 0.8, 0.7, 0.65]]), 2).tolist() == [0]


def test_a_neighbour_pointing_away_still_has_its_vote():
    assert neighbours.vote(np.array([[0, 1, 1]]), np.array([[1.0, -1.0, -1.0]]), 2).tolist() == [1]


def test_the_corpus_may_be_other_texts():
    corpus, queries = np.eye(2, dtype=np.float32), np.array([[0.2, 1.0], [1.0, 0.1], [0.9, 0.1]], np.float32)
    found = neighbours.guessed(queries, corpus, np.array([5, 3]), 6, k=1, leave_one_out=False)
    assert found.tolist() == [3, 5, 5]
