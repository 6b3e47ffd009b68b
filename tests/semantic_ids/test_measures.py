"""Figures of IDs by hand: usage, prefixes, the tree, unique digits, marking words."""

import math

import numpy as np
import pytest

from mlx_metaembed.semantic_ids import Scheme, explain, measures, unique
from mlx_metaembed.semantic_ids.digit import CODE, nearest_to
from mlx_metaembed.semantic_ids.trie import Trie

IDS = np.array([[0, 1], [0, 1], [1, 0], [1, 2]], np.uint16)


def test_perplexity_is_how_many_levels_would_be_as_even():
    assert measures.perplexity(np.array([5, 5, 0, 5])) == pytest.approx(3)
    assert measures.perplexity(np.array([7, 0])) == 1
    assert measures.perplexity(np.array([3, 1])) == pytest.approx(math.exp(0.562335))


def test_usage_has_a_row_a_digit():
    digits = tuple(nearest_to(name, CODE, np.zeros((levels, 2), np.float32)) for name, levels in (("a", 2), ("", 4)))
    first, second = measures.usage(IDS, Scheme(np.zeros(2, np.float32), digits))
    assert (first["name"], first["levels"], first["used"], first["perplexity"]) == ("a", 2, 2, pytest.approx(2))
    assert (second["levels"], second["used"]) == (4, 3)


def test_prefixes_say_who_shares_them():
    x = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    first, second = measures.prefixes(IDS, x)
    assert (first["distinct"], first["shared"], first["largest"]) == (2, 1.0, 2)
    assert (second["distinct"], second["shared"], second["largest"]) == (3, 0.5, 2)
    # Inside of a prefix every cosine is 1; of any two texts it is 1 or 0.
    assert 0.5 < first["cohesion"] < 0.8 and first["cohesion"] == pytest.approx(second["cohesion"])
    assert measures.prefixes(np.arange(4)[:, None], x)[0]["cohesion"] is None


def test_ids_that_are_the_vectors_keep_all_neighbours():
    x = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)
    scheme = Scheme(np.zeros(4, np.float32), (nearest_to("", CODE, x),))
    assert measures.kept(scheme, x, scheme.encode(x)) == 1
    coarse = Scheme(np.zeros(4, np.float32), (nearest_to("", CODE, x[:2]),))
    assert measures.kept(coarse, x, coarse.encode(x)) < 0.8


def test_a_tree_of_the_used_ids():
    tree = Trie(IDS)
    assert tree.ids.tolist() == [[0, 1], [1, 0], [1, 2]] and tree.counts.tolist() == [2, 1, 1]
    assert tree.following(()).tolist() == [0, 1]
    assert tree.following((1,)).tolist() == [0, 2] and tree.following((0,)).tolist() == [1]
    assert tree.following((3,)).tolist() == [] and tree.following((0, 1)).tolist() == []
    assert (tree.texts(()), tree.texts((0,)), tree.texts((1, 2)), tree.texts((9,))) == (4, 2, 1, 0)


def test_texts_that_share_an_id_get_a_digit_more():
    texts = ["a", "b", "c", "a"]
    digits = unique.digits(np.array([[0], [0], [1], [0]]), texts)
    assert digits[2] == 0 and digits[0] == digits[3] > 0 and digits[1] > 0 and digits[0] != digits[1]
    # Which one a text gets is its own, whatever the order and whoever else comes.
    more = unique.digits(np.array([[1], [0], [0]]), ["z", "b", "a"])
    assert (more[1], more[2]) == (digits[1], digits[0])
    assert len(set(unique.digits(np.zeros((300, 1)), [str(at) for at in range(300)]))) == 300


def test_words_mark_a_level_that_has_more_of_them():
    texts = ["the ship sailed", "a ship at sea", "the horse ran", "her horse and the hound"] * 3
    found = explain.marking(texts, np.array([0, 0, 1, 1] * 3), 3)
    assert found[0][0] == "ship" and found[1][0] == "horse" and found[2] == []
    assert "the" not in found[0]
