"""The row classes, and what training asks of them."""

import pytest

from mlx_metaembed.data import Labelled, Pairs, Retrieval, Scored, require_trainable
from mlx_metaembed.errors import CallError


def test_equal_anchors_become_one_query_and_equal_texts_one_row_of_the_corpus():
    pairs = Pairs(["a", "b", "a"], ["p", "q", "q"], [("n",), (), ("p", "m")])
    task = pairs.retrieval()
    assert task.queries == ["a", "b"]
    assert task.corpus == ["p", "q", "n", "m"]
    assert task.relevant == [{0: 1.0, 1: 1.0}, {1: 1.0}]
    assert task.query_ids == ["0", "1"]
    assert task.corpus_ids == ["0", "1", "2", "3"]


def test_pairs_of_a_retrieval_task_are_its_relevant_texts():
    task = Retrieval(["a", "b"], ["x", "y", "z"], [{2: 1.0, 0: 2.0}, {1: 1.0}], ["7", "8"], ["c1", "c2", "c3"])
    assert task.pairs() == Pairs(["a", "a", "b"], ["z", "x", "y"], [(), (), ()])
    assert task.pairs().retrieval().pairs() == task.pairs()


def test_length_is_the_number_of_rows_or_queries():
    assert len(Pairs(["a"] * 3, ["p"] * 3, [()] * 3)) == 3
    assert len(Scored(["a", "b"], ["c", "d"], [0.0, 1.0])) == 2
    assert len(Labelled(["a"], ["l"])) == 1
    assert len(Retrieval(["a", "b"], ["x"], [{0: 1.0}] * 2, ["1", "2"], ["1"])) == 2


def test_pairs_and_retrieval_tasks_are_trainable():
    pairs = Pairs(["a", "b"], ["p", "q"], [(), ()])
    assert require_trainable(pairs, "x.jsonl") is pairs
    assert require_trainable(pairs.retrieval(), "folder") == pairs


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (Pairs(["a"], ["p"], [()]), "x.jsonl has one row; in-batch negatives need at least two"),
        (Pairs(["a", "b"], ["p", "p"], [(), ()]), "2 rows with one and the same positive"),
        (Scored(["a", "b"], ["c", "d"], [0.0, 1.0]), "sentence1, sentence2, score; training needs pairs"),
        (Labelled(["a", "b"], ["l", "m"]), "text, label; training needs pairs"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(rows, words):
    with pytest.raises(CallError, match=r"^x\.jsonl has") as error:
        require_trainable(rows, "x.jsonl")
    assert words in str(error.value)


def test_one_positive_is_enough_where_there_are_hard_negatives():
    rows = Pairs(["a", "b"], ["p", "p"], [("n",), ()])
    assert require_trainable(rows, "x.jsonl") is rows
