"""Queries, positives and corpora: what is one text, and what is refused."""

import numpy as np
import pytest

from mlx_metaembed.data.rows import Labelled, Pairs, Retrieval, Texts
from mlx_metaembed.errors import CallError
from mlx_metaembed.mining import tasks

PAIRS = Pairs(["q", "q", "r"], ["a", "b", "c"], [("d",), (), ()])


def refused(*given, **settings):
    with pytest.raises(CallError) as error:
        tasks.of(*given, **settings)
    return str(error.value)


def test_a_corpus_of_the_pairs_own():
    task = tasks.of(PAIRS, "pairs.jsonl", None, None)
    assert (task.queries, task.positives, task.rows) == (["q", "r"], [["a", "b"], ["c"]], [[0, 1], [2]])
    assert (list(task.corpus), task.most_positives) == (["a", "b", "c", "d"], 2)
    assert task.is_positive(0, np.arange(4)).tolist() == [True, True, False, False]
    assert task.is_positive(1, np.arange(4)).tolist() == [False, False, True, False]


def test_texts_that_differ_in_spaces_are_one():
    task = tasks.of(Pairs(["q one"], ["a  b"], [()]), "data", Texts(["0", "1", "2"], ["x", "a b ", "q\none"]), None)
    assert (task.rows, task.positives) == ([[1]], [["a  b"]])
    assert task.is_positive(0, np.arange(3)).tolist() == [False, True, False]
    assert task.is_own(0, np.arange(3)).tolist() == [False, False, True]


def test_a_query_of_the_corpus_is_not_its_own_negative():
    rows = Retrieval(["q"], ["title q", "a"], [{1: 1.0}], ["id"], ["id", "other"], itself={0: 0})
    assert tasks.of(rows, "data", None, None).is_own(0, np.arange(2)).tolist() == [True, False]


def test_positives_that_a_corpus_lacks_are_named_or_added():
    corpus = Texts(["0", "1"], ["a", "n"])
    said = refused(PAIRS, "data", corpus, None)
    assert "The corpus lacks positives of 2 rows:" in said
    assert "'q': its positive 'b'" in said and "'r': its positive 'c'" in said and "--add-positives" in said
    task = tasks.of(PAIRS, "data", corpus, None, add=True)
    assert (list(task.corpus), task.rows) == (["a", "n", "b", "c"], [[0, 2], [3]])
    assert task.is_positive(0, np.arange(4)).tolist() == [True, False, True, False]


def test_another_corpus_is_told():
    assert "The corpus has none of the data's positives" in refused(PAIRS, "data", Texts(["0"], ["n"]), None)


def test_rows_that_are_no_pairs():
    assert "pairs.csv has the columns text, label; mining needs pairs" in refused(
        Labelled(["a"], ["x"]), "pairs.csv", None, None
    )


def test_a_query_without_a_positive():
    rows = Retrieval(["q", "r"], ["a", "b"], [{1: 1.0}, {}], ["0", "1"], ["0", "1"])
    assert "data has queries without a positive:\n  - 'r'" in refused(rows, "data", None, None)
