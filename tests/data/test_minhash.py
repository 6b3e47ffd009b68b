"""Near-duplicates: the similarity by hand, and what is near and what is not."""

import numpy as np
import pytest

from mlx_metaembed.data.minhash import NearDuplicates, shingles, similarity


def test_the_similarity_of_two_texts_by_hand():
    # abcde bcdef cdefg, and abcde bcdef cdefh: 2 of 4.
    assert similarity(shingles("abcdefg"), shingles("ABCDEFh")) == 2 / 4
    assert similarity(shingles("one  two"), shingles("One two")) == 1
    assert len(shingles("aaaaaaaaa")) == 1 and len(shingles("abcd")) == 0
    assert similarity(shingles("abcd"), shingles("abcd")) == 0


def test_texts_with_one_word_changed_are_found_and_others_are_not():
    draw = np.random.default_rng(0)
    texts = [" ".join(f"word{number}" for number in draw.integers(0, 5_000, 30)) for _ in range(300)]
    known = NearDuplicates(texts[:200])
    for row, text in enumerate(texts[100:]):
        near = known.show(text.replace(text.split()[3], "other", 1))
        assert near == ([row + 100] if row < 100 else [])
    assert known.found.tolist() == [False] * 100 + [True] * 100


def test_many_copies_of_one_text_are_found_at_once():
    known = NearDuplicates(["the very same sentence"] * 600)
    assert known.show("the very same sentences") == list(range(600))
    assert known.show("the very same sentence") == []


@pytest.mark.parametrize("texts", [[], [""], ["abc"]])
def test_nothing_is_near_to_nothing(texts):
    assert NearDuplicates(texts).show("a text of some length") == []
