"""What each code compares, in numbers."""

import numpy as np
import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate.coded import as_code, at_width, check_codes, of_head
from mlx_metaembed.search.exact import score_blocks

QUERIES = np.array([[3.0, 4.0, 1.0]])
STORED = np.array([[4.0, -3.0, 1.0], [3.0, 4.0, 1.0]])


def scores(coded):
    return np.concatenate(list(score_blocks(coded.queries, coded.stored, similarity=coded.similarity))).tolist()


def test_a_width_compares_the_cut_vectors():
    assert scores(at_width(QUERIES, STORED, 2)) == [pytest.approx([0, 1])]
    assert scores(at_width(QUERIES, STORED, 2, similarity="dot", renormalize=False)) == [pytest.approx([0, 25])]


def test_binary_is_a_float_query_against_signs():
    assert scores(as_code("binary", at_width(QUERIES, STORED, 2))) == [pytest.approx([0.6 - 0.8, 0.6 + 0.8])]


def test_binary_hamming_is_signs_against_signs():
    assert scores(as_code("binary-hamming", at_width(QUERIES, STORED, 2))) == [[0, 2]]


def test_int8_restores_the_stored_side_only():
    plain = at_width(QUERIES, STORED, 2, similarity="euclidean")
    coded = as_code("int8", plain)
    assert coded.similarity == "euclidean"
    assert np.array_equal(coded.queries, plain.queries)
    assert np.allclose(coded.stored, plain.stored, atol=0.01)
    assert not np.array_equal(coded.stored, plain.stored)


def test_a_head_is_compared_by_cosine():
    coded = of_head("fsq", np.array([[1.0, 0.0]]), np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]), 1)
    assert scores(coded) == [pytest.approx([1, 0.5**0.5, 0])]


def test_an_unknown_code_names_the_nearest_and_all():
    check_codes(["int8", "short"], ["short"])
    with pytest.raises(CallError, match=r"'shrot'; did you mean 'short'\? .*: int8, binary, binary-hamming, short"):
        check_codes(["int8", "shrot"], ["short"])
