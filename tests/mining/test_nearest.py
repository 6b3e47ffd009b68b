"""The nearest rows in blocks are those of the whole, whatever the blocks, and equal scores go by row."""

import numpy as np
import pytest

from mlx_metaembed.mining import vectors
from mlx_metaembed.mining.nearest import block_rows, nearest


def blocks(corpus, rows):
    return [corpus[first : first + rows] for first in range(0, len(corpus), rows)]


def test_the_nearest_of_four():
    corpus = np.array([[1, 0], [0, 1], [0.6, 0.8], [0.8, 0.6]], np.float32)
    rows, scores = nearest(np.array([[1, 0], [0, 1]], np.float32), blocks(corpus, 3), 2, "dot")
    assert rows.tolist() == [[0, 3], [1, 2]]
    assert scores == pytest.approx(np.array([[1, 0.8], [1, 0.8]]))
    rows, scores = nearest(np.array([[1, 0]], np.float32), blocks(corpus, 1), 2, "euclidean")
    assert (rows.tolist(), scores[0, 0]) == ([[0, 3]], 0)
    assert scores[0, 1] == pytest.approx(-np.hypot(0.2, 0.6))


@pytest.mark.parametrize("size", [1, 3, 7, 50, 200])
def test_blocks_change_nothing(size):
    random = np.random.default_rng(3)
    # Whole numbers: many scores are equal, and exact in whatever order they are summed.
    corpus, queries = (random.integers(-2, 3, (count, 4)).astype(np.float32) for count in (200, 20))
    rows, scores = nearest(queries, blocks(corpus, size), 12, "dot")
    whole = queries @ corpus.T
    order = np.argsort(-whole, axis=1, kind="stable")[:, :12]
    assert rows.tolist() == order.tolist()
    assert scores.tolist() == np.take_along_axis(whole, order, axis=1).tolist()


def test_a_corpus_smaller_than_k_gives_all_of_it():
    rows, _ = nearest(np.ones((1, 2), np.float32), blocks(np.array([[1, 1], [2, 2], [3, 3]], np.float32), 2), 9, "dot")
    assert rows.tolist() == [[2, 1, 0]]


def test_a_block_of_scores_takes_a_sixteenth_of_the_memory():
    assert block_rows(1_000, 64_000_000) * 1_000 * 4 == 64_000_000 / 16
    assert block_rows(4_096, 2**40) == 2**26 // 4_096
    assert block_rows(4_096, 1) == 1


def test_vectors_are_gone_on_with(tmp_path):
    path, made = tmp_path / "v.f32", []

    def make(first, last):
        made.append((first, last))
        return np.arange(first, last, dtype=np.float32)[:, None] * np.array([1, 10], np.float32)

    count = vectors.WINDOW + 5
    found = vectors.stored(path, count, 2, make)
    whole = path.read_bytes()
    assert (made, len(whole)) == ([(0, vectors.WINDOW), (vectors.WINDOW, count)], count * 8)
    assert found.rows([3, 1, 3]).tolist() == [[3, 30], [1, 10], [3, 30]]
    assert found.block(count - 2, count + 9)[:, 0].tolist() == [count - 2, count - 1]
    assert [len(block) for block in found.blocks(vectors.WINDOW)] == [vectors.WINDOW, 5]
    made.clear()
    vectors.stored(path, count, 2, make)
    assert made == []
    # Killed in the middle of the second window: that one is made again.
    path.write_bytes(whole[: vectors.WINDOW * 8 + 3])
    told = []
    vectors.stored(path, count, 2, make, told.append)
    assert (made, told, path.read_bytes()) == ([(vectors.WINDOW, count)], [vectors.WINDOW, 5], whole)


def test_the_key_of_vectors_knows_texts_and_their_order():
    keys = {vectors.key({"width": 3}, texts) for texts in (["a", "b"], ["b", "a"], ["ab"], ["a", "b", ""])}
    assert len(keys | {vectors.key({"width": 4}, ["a", "b"])}) == 5
