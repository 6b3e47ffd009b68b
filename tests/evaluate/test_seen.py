"""What a model does with rows, text by text: scores in bins, ranks of the right texts, mistakes, changed neighbours."""

import numpy as np
import pytest

from mlx_metaembed.data.rows import Labelled, Retrieval, Scored
from mlx_metaembed.evaluate.changed import changed
from mlx_metaembed.evaluate.coded import Coded
from mlx_metaembed.evaluate.histogram import Histogram
from mlx_metaembed.evaluate.mistakes import mistakes
from mlx_metaembed.evaluate.rows import Candidates, JudgedPairs, Split, Translations
from mlx_metaembed.evaluate.seen import seen

TASK = Retrieval(
    queries=["q0", "q1", "q2"],
    corpus=["c0", "c1", "c2", "c3"],
    relevant=[{0: 1.0}, {3: 1.0, 2: 0.0}, {}],
    query_ids=["a", "b", "c"],
    corpus_ids=["d", "b", "f", "g"],
    itself={1: 1},
)


def coded(queries: list, stored: list, similarity: str = "dot") -> Coded:
    left, right = (np.array(each, np.float32) for each in (queries, stored))
    return Coded("2", 2, 8, left, right, similarity)


def dots(scores: list) -> Coded:
    """Vectors whose dot products are these scores [Q, N]."""
    return coded(scores, np.eye(len(scores[0])).tolist())


# Of query 1 text 1 is the query itself, the best of all; of query 0 texts 0 and 2 tie, and 0 stands first.
BEFORE = dots([[0.25, 0.75, 0.25, 0.0], [0.5, 0.9, 0.75, 0.25], [0.1, 0.2, 0.3, 0.4]])
AFTER = dots([[0.75, 0.25, 0.25, 0.0], [0.5, 0.9, 0.25, 0.375], [0.1, 0.2, 0.3, 0.4]])


def counted(histogram: Histogram) -> dict[float, int]:
    found = histogram.as_json()
    return {found["low"] + at * found["width"]: count for at, count in enumerate(found["counts"]) if count}


def test_bins_hold_what_lies_above_their_beginning():
    histogram = Histogram()
    histogram.add(np.array([1.0, 1.0000001, 0.5, np.nan, -np.inf]))
    histogram.add(np.array([0.501, -0.001]))
    histogram.add(np.array([]))
    # Bins of 1/128: 64/128 is the end of the bin before it, and 1 of the last one.
    assert counted(histogram) == {127 / 128: 2, 63 / 128: 1, 64 / 128: 1, -1 / 128: 1}


def test_a_wide_range_doubles_the_bins_and_loses_nothing():
    histogram = Histogram()
    histogram.add(np.array([0.5, 0.75, 0.75]))
    histogram.add(np.array([-100.0, 100.0]))
    found = histogram.as_json()
    # 256 bins hold 200 where each is 1 wide.
    assert (found["width"], sum(found["counts"]), len(found["counts"])) == (1.0, 5, 201)
    assert counted(histogram) == {-101.0: 1, 0.0: 3, 99.0: 1}
    histogram = Histogram()
    histogram.add(np.array([0.5, 0.501]))
    histogram.add(np.array([-1.6]))
    # Doubled once, to 1/64: the two are still on both sides of 0.5.
    assert counted(histogram) == {31 / 64: 1, 32 / 64: 1, -103 / 64: 1}


def test_right_texts_have_their_rank_and_what_is_the_query_itself_has_none():
    found = seen(BEFORE, TASK)
    assert found.rank.tolist() == [2, 3, 0] and found.right.tolist() == [0, 3, -1]
    # One text is left out of a ranking, so that three of the four are ranked.
    assert found.nearest.tolist() == [[1, 0, 2], [2, 0, 3], [3, 2, 1]]
    right, nearest, wrong = (counted(each) for each in found.groups.values())
    assert right == {31 / 128: 2} and nearest == {95 / 128: 2}
    assert sum(wrong.values()) == 3 + 2 and wrong[95 / 128] == 2
    # Of equal scores the earlier text comes first.
    tied = Retrieval(["q"], ["c0", "c1", "c2"], [{1: 1.0}], ["q"], ["a", "b", "c"])
    assert seen(dots([[0.5, 0.5, 0.25]]), tied).rank.tolist() == [2]
    assert list(found.groups) == ["right answers", "best wrong answer of each query", "all wrong answers"]


def test_the_hardest_mistake_has_its_texts_and_ranks():
    (found,) = mistakes(TASK, {"before": seen(BEFORE, TASK), "after": seen(AFTER, TASK)})
    assert found == {
        "query": "q1",
        "rank_before": 3,
        "rank_after": 2,
        "right": {"text": "c3", "score": 0.375},
        "first": {"text": "c0", "score": 0.5},
    }
    assert mistakes(TASK, {"before": seen(BEFORE, TASK)}) == []


def test_changed_neighbours_are_counted_and_the_most_changed_shown():
    many = Retrieval(["q0", "q1"], [f"c{n}" for n in range(12)], [{0: 1.0}, {0: 1.0}], ["a", "b"], ["c"] * 12)
    rising = [n / 16 for n in range(12)]
    # Of query 0 the two last of twelve become the two first; query 1 stays.
    turned = [1.0, 0.9, *rising[2:]]
    found = {"before": seen(dots([rising, rising]), many), "after": seen(dots([turned, rising]), many)}
    told = changed(many, found)
    assert (told["nearest"], told["kept"], told["first_changed"], told["queries"]) == (10, 0.9, 1, 2)
    (answer,) = told["answers"]
    assert (answer["query"], answer["right_before"], answer["right_after"]) == ("q0", 12, 1)
    assert [hit["text"] for hit in answer["before"]] == ["c11", "c10", "c9"]
    assert [(hit["text"], hit["right"]) for hit in answer["after"]] == [("c0", True), ("c1", False), ("c11", False)]
    assert changed(many, {"after": found["after"]}) is None


def test_scored_pairs_are_apart_by_the_middle_of_the_scale_and_wrong_by_their_place():
    rows = Scored(["a", "b", "c", "d"], ["e", "f", "g", "h"], [0.0, 1.0, 2.0, 4.0])
    # Cosines 1, 0, 0.6 and 0.8: the pair that people scored least is the nearest of all.
    found = seen(coded([[1, 0]] * 4, [[2, 0], [0, 1], [0.6, 0.8], [0.8, 0.6]]), rows)
    assert found.cosines == pytest.approx([1.0, 0.0, 0.6, 0.8])
    high, low = found.groups.values()
    assert list(found.groups) == ["pairs that people scored above 2", "pairs scored 2 or less"]
    assert (sum(counted(high).values()), sum(counted(low).values())) == (1, 3)
    worst = mistakes(rows, {"after": found})[0]
    assert (worst["sentence1"], worst["sentence2"], worst["score"]) == ("a", "e", 0.0)
    assert (worst["score_place"], worst["cosine_place"]) == (0.125, 0.875)
    assert worst["cosine_after"] == pytest.approx(1.0) and "cosine_before" not in worst
    assert changed(rows, {"before": found, "after": found}) is None


def test_a_text_among_those_of_another_label_is_a_mistake():
    rows = Labelled([f"t{n}" for n in range(16)], ["x"] * 8 + ["y"] * 8)
    apart = [[1, n / 100] for n in range(8)] + [[n / 100, 1] for n in range(8)]
    mixed = [*apart[:2], [0.001, 1], *apart[3:]]
    before, after = (seen(coded(vectors, vectors), rows) for vectors in (apart, mixed))
    same, _, other = (sum(counted(each).values()) for each in before.groups.values())
    # Seven of its label and eight of the other for each of sixteen texts; a text is no neighbour of its own.
    assert (same, other) == (16 * 7, 16 * 8) and before.nearest.shape == (16, 10)
    assert mistakes(rows, {"after": before}) == []
    (found,) = mistakes(rows, {"before": before, "after": after})
    assert (found["text"], found["label"]) == ("t2", "x")
    assert (found["guess_before"], found["guess_after"]) == ("x", "y")
    assert (found["nearest"]["text"], found["nearest"]["label"]) == ("t8", "y")
    told = changed(rows, {"before": before, "after": after})
    assert told["answers"][0]["query"] == "t2 (x)"
    assert [hit["right"] for hit in told["answers"][0]["before"]] == ["same label"] * 3
    assert [(hit["id"], hit["right"]) for hit in told["answers"][0]["after"]] == [("y", False)] * 3


def test_texts_that_are_judged_by_others_have_neighbours_among_those():
    rows = Split(Labelled(["t0", "t1", "t2"], ["x", "y", "z"]), Labelled(["s0", "s1", "s2"], ["x", "y", "x"]))
    found = seen(coded([[1, 0], [0.9, 0.1], [0, 1]], [[1, 0], [0, 1], [0.8, 0.6]]), rows)
    assert found.nearest.tolist() == [[0, 2, 1], [0, 2, 1], [1, 2, 0]]
    # No training text has the label z.
    assert found.rank.tolist() == [1, 3, 0] and found.right.tolist() == [0, 1, -1]
    same, _, other = (sum(counted(each).values()) for each in found.groups.values())
    assert (same, other) == (2 + 1, 1 + 2)
    wrong = mistakes(rows, {"after": found})
    assert [(each["text"], each["label"], each["guess_after"], each["nearest"]["text"]) for each in wrong] == [
        ("t2", "z", "x", "s2"),
        ("t1", "y", "x", "s0"),
    ]
    told = changed(rows, {"before": found, "after": found})
    assert (told["nearest"], told["kept"], told["answers"]) == (3, 1.0, [])


def test_candidates_are_ranked_among_their_own_and_behind_wrong_ones_of_their_score():
    rows = Candidates(["q0", "q1"], ["d0", "d1", "d2", "d3"], [([0, 1], [2]), ([3], [1, 2])])
    found = seen(dots([[0.5, 0.25, 0.5, 0.9], [0.9, 0.75, 0.1, 0.5]]), rows)
    # Of query 0 document 2 has the score of the right one; what is not among its candidates counts nowhere.
    assert found.rank.tolist() == [2, 2] and found.right.tolist() == [0, 3]
    assert found.nearest.tolist() == [[2], [1]] and found.scores.tolist() == [[0.5], [0.75]]
    assert [sum(counted(each).values()) for each in found.groups.values()] == [3, 2, 3]
    hardest = mistakes(rows, {"after": found})
    assert [(each["query"], each["right"]["text"], each["first"]["text"]) for each in hardest] == [
        ("q1", "d3", "d1"),
        ("q0", "d0", "d2"),
    ]
    assert changed(rows, {"before": found, "after": found}) is None


def test_judged_pairs_are_wrong_in_the_half_where_they_do_not_belong():
    rows = JudgedPairs(["a", "b", "c", "d"], ["e", "f", "g", "h"], [True, True, False, False])
    found = seen(coded([[1, 0]] * 4, [[1, 0], [0, 1], [0.6, 0.8], [0.8, 0.6]]), rows)
    assert [sum(counted(each).values()) for each in found.groups.values()] == [2, 2]
    assert list(found.groups) == ["pairs that belong together", "pairs that do not"]
    wrong = mistakes(rows, {"before": found, "after": found})
    assert [(each["sentence1"], each["together"], each["cosine_place"]) for each in wrong] == [
        ("b", True, 0.125),
        ("d", False, 0.625),
    ]
    assert wrong[0]["cosine_before"] == wrong[0]["cosine_after"] == pytest.approx(0.0)


def test_sentences_of_two_sides_are_a_search():
    rows = Translations.of(["a", "b", "a"], ["c", "d", "d"])
    assert rows.retrieval().relevant == [{0: 1.0, 1: 1.0}, {1: 1.0}]
    found = seen(dots([[0.5, 0.25], [0.75, 0.5]]), rows)
    assert found.rank.tolist() == [1, 2]
    (wrong,) = mistakes(rows, {"after": found})
    assert (wrong["query"], wrong["right"]["text"], wrong["first"]["text"]) == ("b", "d", "c")
    assert changed(rows, {"before": found, "after": found})["queries"] == 2


def test_one_text_and_other_rows_give_nothing():
    assert seen(coded([[1, 0]], [[1, 0]]), Labelled(["t"], ["x"])) is None
    assert seen(coded([[1, 0]], [[1, 0]]), object()) is None and mistakes(object(), {}) == []
