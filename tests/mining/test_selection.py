"""Which candidates are chosen: margins, ranks and sampling, with hand-made scores."""

import numpy as np
import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.mining.selection import choose
from mlx_metaembed.mining.settings import Settings

ROWS = np.array([10, 11, 12, 13, 14, 15])
SCORES = np.array([0.9, 0.78, 0.76, 0.5, 0.4, 0.1], np.float32)


def chosen(positives=(0.8,), *, last_rank=6, seed=(0, 0), rows=ROWS, scores=SCORES, **settings):
    settings = Settings(**{"num_negatives": 2, "relative_margin": None} | settings)
    return choose(rows, scores, positives, settings, last_rank=last_rank, seed=seed)


@pytest.mark.parametrize(
    ("settings", "rows", "dropped"),
    [
        ({}, [10, 11], {}),
        # 95 % of 0.8 is 0.76, which is not above itself.
        ({"relative_margin": 0.05}, [12, 13], {"relative_margin": 2}),
        ({"relative_margin": 0.5}, [14, 15], {"relative_margin": 4}),
        ({"absolute_margin": 0.0}, [11, 12], {"absolute_margin": 1}),
        ({"absolute_margin": 0.35}, [14, 15], {"absolute_margin": 4}),
        ({"absolute_margin": 0.0, "relative_margin": 0.05}, [12, 13], {"absolute_margin": 1, "relative_margin": 1}),
        ({"max_score": 0.5}, [13, 14], {"max_score": 3}),
        ({"min_score": 0.77}, [10, 11], {"min_score": 4}),
        ({"max_score": 0.5, "min_score": 0.45}, [13], {"max_score": 3, "min_score": 2}),
        ({"range_min": 1}, [11, 12], {}),
        # Ranks are counted among what the margin leaves.
        ({"range_min": 1, "relative_margin": 0.05}, [13, 14], {"relative_margin": 2}),
    ],
    ids=str,
)
def test_bounds_and_ranks(settings, rows, dropped):
    found = chosen(**settings)
    assert (found.rows.tolist(), found.dropped) == (rows, dropped)
    assert found.scores.tolist() == [SCORES[ROWS.tolist().index(row)] for row in rows]


def test_the_last_rank_is_not_taken():
    assert chosen(last_rank=3, range_min=2).rows.tolist() == [12]


def test_the_least_of_several_positives_counts():
    assert chosen((0.9, 0.5), absolute_margin=0.0).rows.tolist() == [13, 14]


def test_a_share_of_a_negative_score_lies_below_it():
    # -0.5 less 10 % of 0.5 is -0.55: -0.54 is too near, -0.6 is not.
    scores = np.array([-0.4, -0.54, -0.6, -0.7], np.float32)
    assert chosen((-0.5,), rows=ROWS[:4], scores=scores, relative_margin=0.1).rows.tolist() == [12, 13]


def test_a_judge_may_order_otherwise():
    assert chosen(scores=SCORES[::-1]).rows.tolist() == [15, 14]


def test_random_is_a_function_of_seed_and_query():
    draws = [chosen(sampling_strategy="random", seed=(0, query)).rows.tolist() for query in range(50)]
    assert draws == [chosen(sampling_strategy="random", seed=(0, query)).rows.tolist() for query in range(50)]
    assert draws != [chosen(sampling_strategy="random", seed=(1, query)).rows.tolist() for query in range(50)]
    assert {row for each in draws for row in each} == set(ROWS.tolist())
    # Best first, and no text twice.
    assert all(one < other for one, other in draws)


@pytest.mark.parametrize(
    ("settings", "judged", "last"),
    [
        ({"relative_margin": None}, False, 0 + 3 + 2),
        ({}, False, 0 + 30 + 2),
        ({"range_min": 5}, False, 5 + 30 + 2),
        ({"range_max": 7}, False, 7),
        ({"relative_margin": None, "min_score": 0.1}, False, 3 + 2),
        ({"relative_margin": None, "min_score": 0.1}, True, 30 + 2),
    ],
    ids=str,
)
def test_the_last_rank_is_that_of_sentence_transformers(settings, judged, last):
    assert Settings(**settings).last_rank(2, judged=judged) == last


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"num_negatives": 0}, "negatives = 0: expected 1 or more"),
        ({"range_min": -1}, "range_min = -1: expected a rank"),
        ({"range_min": 9, "range_max": 9}, "range_min = 9 and range_max = 9 leave no rank"),
        ({"range_min": 20, "range_max": 10}, "range_min = 20 and range_max = 10 leave no rank"),
        ({"range_min": 8, "range_max": 10}, "leave 2 ranks for 3 negatives"),
        ({"relative_margin": float("nan")}, "relative_margin = nan: expected a finite number"),
        ({"relative_margin": 95}, "relative_margin = 95: expected a share of the positive's score, at most 1"),
        ({"max_score": 0.1, "min_score": 0.2}, "no score is between"),
        ({"sampling_strategy": "topp"}, "sampling_strategy = 'topp'; did you mean 'top'?"),
        ({"output_format": "tuple"}, "output_format = 'tuple'; did you mean 'n-tuple'?"),
        ({"include_positives": True, "output_format": "list"}, "include_positives gives a ranking"),
        ({"memory": "8 cows"}, "is no size"),
        ({"seed": -1}, "seed = -1"),
        ({"num_negatives": 0, "range_min": -1}, "range_min = -1"),
    ],
    ids=str,
)
def test_settings_that_can_not_be(settings, said):
    with pytest.raises(CallError) as error:
        Settings(**settings).check()
    assert said in str(error.value)
