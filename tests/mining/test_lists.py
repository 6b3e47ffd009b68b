"""Lists of like vectors: what is looked through is compared exactly, and what is missed is told."""

import numpy as np
import pytest

from mlx_metaembed.mining import lists, vectors
from mlx_metaembed.mining.nearest import nearest

MEMORY = 10**9


def stored(path, array):
    return vectors.stored(path, len(array), array.shape[1], lambda first, last: array[first:last])


def clustered(count, seed, clusters=20, width=8):
    """Points about some centres."""
    centres = np.random.default_rng(0).standard_normal((clusters, width)) * 3
    random = np.random.default_rng(seed)
    found = centres[random.integers(0, clusters, count)] + random.standard_normal((count, width))
    return found.astype(np.float32)


@pytest.fixture
def made(tmp_path):
    corpus = stored(tmp_path / "corpus.f32", clustered(900, 1))
    return corpus, lists.stored(tmp_path / "lists", corpus, "dot", lambda rows: None)


def test_lists_hold_every_row_once_beside_its_like(made):
    corpus, found = made
    assert len(found) == lists.count(900) == 60
    assert sorted(found.rows) == list(range(900))
    whole = corpus.block(0, 900)
    assert np.array_equal(found.vectors.block(0, 900), whole[found.rows])
    distances = ((whole[:, None] - found.centres[None]) ** 2).sum(axis=2)
    assert np.array_equal(np.repeat(np.arange(60), np.diff(found.starts)), distances.argmin(axis=1)[found.rows])


@pytest.mark.parametrize("similarity", ["dot", "euclidean"])
@pytest.mark.parametrize("memory", [MEMORY, 16 * 12 * 60 * 7])
def test_all_lists_are_every_row(made, similarity, memory):
    corpus, found = made
    object.__setattr__(found, "similarity", similarity)
    queries = clustered(40, 2)
    rows, scores = found.nearest(queries, 7, len(found), memory)
    expected_rows, expected = nearest(queries, [corpus.block(0, 900)], 7, similarity)
    assert np.array_equal(rows, expected_rows)
    assert scores == pytest.approx(expected, abs=1e-4)


def test_equal_scores_go_by_row_and_what_lists_lack_is_minus_one(tmp_path):
    # One list of three: 2 * 3 ** 0.5 is three lists, and equal vectors share one.
    corpus = stored(tmp_path / "corpus.f32", np.array([[0, 1], [0, 1], [0, 1]], np.float32))
    found = lists.stored(tmp_path / "lists", corpus, "dot", lambda rows: None)
    rows, scores = found.nearest(np.array([[0, 2]], np.float32), 4, 3, MEMORY)
    assert rows.tolist() == [[0, 1, 2, -1]]
    assert scores.tolist() == [[2, 2, 2, -np.inf]]


def test_the_share_that_is_told_is_what_is_found(made, tmp_path):
    corpus, found = made
    array = clustered(200, 3)
    queries = stored(tmp_path / "queries.f32", array)
    looked, recall = lists.looked_through(found, queries, corpus, 10, MEMORY)
    near, _ = nearest(array, [corpus.block(0, 900)], 10, "dot")

    def share(some, count):
        rows, _ = found.nearest(array[some], 10, count, MEMORY)
        return np.mean([np.isin(one, other).mean() for one, other in zip(near[some], rows, strict=True)])

    chooses, tells = slice(0, None, 2), slice(1, None, 2)
    assert recall == pytest.approx(share(tells, looked), abs=1e-9)
    assert share(chooses, looked) >= 0.95 > share(chooses, looked - 1)
    assert 1 < looked < 40


def test_lists_are_kept(made, tmp_path, monkeypatch):
    corpus, found = made
    monkeypatch.setattr(lists, "_centres", None)
    told = []
    again = lists.stored(tmp_path / "lists", corpus, "dot", told.append)
    assert told == [900] and np.array_equal(again.rows, found.rows)
