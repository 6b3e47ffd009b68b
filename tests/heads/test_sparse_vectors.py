"""Sparse vectors by hand: what counts of a row, scores over shared words, names."""

import numpy as np
import pytest

from mlx_metaembed.heads.sparse_vectors import SparseVectors, named, scores


def vectors(*rows: dict[int, float]) -> SparseVectors:
    return SparseVectors.of([(np.array(list(row), np.int64), np.array(list(row.values()))) for row in rows])


def test_an_ids_largest_weight_counts_and_zeros_go():
    found = SparseVectors.of([(np.array([7, 3, 7, 9, 3]), np.array([0.5, 2.0, 0.75, 0.0, 1.0], np.float32))])
    assert [each.tolist() for each in found[0]] == [[3, 7], [2.0, 0.75]]
    assert (found.ids.dtype, found.weights.dtype) == (np.int32, np.float32)


def test_texts_are_apart_and_may_be_empty():
    found = vectors({}, {4: 1.0, 2: 3.0}, {})
    assert len(found) == 3 and [len(ids) for ids, _ in found] == [0, 2, 0]
    assert found[-2][0].tolist() == [2, 4]
    with pytest.raises(IndexError):
        found[3]
    assert len(vectors()) == 0


def test_scores_are_products_over_shared_words():
    queries, documents = vectors({1: 2.0, 5: 3.0}, {9: 1.0}), vectors({5: 4.0, 8: 7.0}, {1: 1.0, 5: 1.0}, {})
    assert scores(queries, documents).tolist() == [[3.0 * 4.0, 2.0 + 3.0, 0.0], [0.0, 0.0, 0.0]]


def test_a_matrix_over_some_words():
    found = vectors({1: 2.0, 5: 3.0}, {9: 1.0}).over(np.array([0, 5, 9]))
    assert found.tolist() == [[0.0, 3.0, 0.0], [0.0, 0.0, 1.0]]


def test_names_with_the_heaviest_first_and_padded_ids():
    assert [list(row.items()) for row in named(vectors({1: 0.5, 2: 2.0, 70: 1.0}), {1: "a", 2: "b"})] == [
        [("b", 2.0), ("#70", 1.0), ("a", 0.5)]
    ]
    assert named(vectors({1: 0.5, 2: 2.0}), {1: "a", 2: "b"}, 1) == [{"b": 2.0}]
