"""Sparse scores over a batch's own words against the plain text over the whole vocabulary."""

import numpy as np
import pytest
from arrays import gradient_of, value_of

from mlx_metaembed import xp
from mlx_metaembed.heads import sparse_vectors
from mlx_metaembed.losses import sparse_scores, token_indexes

VOCABULARY = 40


def texts(seed: int, rows: int, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, ids in which words repeat, and which tokens count: special id 0 does not, nor does padding."""
    random = np.random.default_rng(seed)
    ids = random.choice([0, *range(3, 9), 21, 33, VOCABULARY - 1], (rows, length))
    counted = (ids != 0) & (np.arange(length) < random.integers(0, length + 1, (rows, 1)))
    counted[0] = False
    return np.abs(random.standard_normal((rows, length))).astype(np.float32), ids, counted


def over_all_words(weights, ids: np.ndarray, counted: np.ndarray):
    """The largest weight of every word of the vocabulary [texts, vocabulary], by a matrix of all tokens and words."""
    mine = (ids[:, :, None] == np.arange(VOCABULARY)) & counted[:, :, None]
    return xp.namespace(weights).max(weights[:, :, None] * xp.constant(mine.astype(np.float32), weights), axis=1)


QUERIES, DOCUMENTS = texts(0, 6, 9), texts(1, 8, 20)
CHOSEN = token_indexes(QUERIES[1], DOCUMENTS[1], counted=(QUERIES[2], DOCUMENTS[2]))


def test_scores_are_those_of_sparse_vectors(engine_name: str):
    got = value_of(engine_name, lambda q, d: sparse_scores(q, d, *CHOSEN), QUERIES[0], DOCUMENTS[0])
    of = [
        sparse_vectors.SparseVectors.of(zip(ids, np.where(counted, weights, 0), strict=True))
        for weights, ids, counted in (QUERIES, DOCUMENTS)
    ]
    np.testing.assert_allclose(got, sparse_vectors.scores(*of), rtol=1e-5, atol=1e-6)
    assert (got[0] == 0).all() and (got[1:] > 0).any(), "a text without tokens scores nothing"


def test_a_word_counts_once_with_its_largest_weight():
    ids, weights = np.array([[7, 5, 7, 7, 7, 7]]), np.array([[1.0, 2.0, 4.0, 3.0, 2.0, 5.0]])
    other = np.array([[7, 5, 9]])
    of = token_indexes(ids, other, counted=(np.ones((1, 6), bool), np.array([[True, True, False]])))
    assert sparse_scores(weights, np.array([[10.0, 100.0, 1000.0]]), *of).tolist() == [[5 * 10 + 2 * 100]]
    assert of[0].first.shape == (1, 2), "only the words of the batch have a column"


@pytest.mark.parametrize("side", [0, 1])
def test_value_and_gradient_are_those_over_the_whole_vocabulary(engine_name: str, side: int):
    weigh = np.random.default_rng(2).standard_normal((6, 8)).astype(np.float32)

    def of(scores):
        def total(x, other, weigh):
            # As the head does; where a word weighs nothing, no gradient goes on.
            x = xp.relu(x - 0.5)
            found = scores(x, other) if side == 0 else scores(other, x)
            return xp.namespace(found).sum(found * found * weigh)

        return total

    def plain(queries, documents):
        words = xp.namespace(queries)
        return words.matmul(over_all_words(queries, *QUERIES[1:]), over_all_words(documents, *DOCUMENTS[1:]).T)

    given = [QUERIES[0], DOCUMENTS[0]][:: 1 if side == 0 else -1]
    ours, theirs = of(lambda q, d: sparse_scores(q, d, *CHOSEN)), of(plain)
    wide = [x.astype(np.float64) for x in (*given, weigh)]
    assert value_of(engine_name, ours, *given, weigh) == pytest.approx(theirs(*wide), rel=1e-5)
    got, expected = (gradient_of(engine_name, each, *given, weigh) for each in (ours, theirs))
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
