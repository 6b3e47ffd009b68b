"""Losses by hand: values written as arithmetic."""

import math

import numpy as np
import pytest
from losses.samples import ROWS, arrays, function_of, holes, outputs, roles_of

from mlx_metaembed.heads.output import Output
from mlx_metaembed.losses import LOSSES, Sample
from mlx_metaembed.losses.scorers import own_scores, scorer

EAST, NORTH = [1.0, 0.0], [0.0, 1.0]


def vectors(**roles) -> dict[str, Output]:
    return {role: Output("vector", np.array(rows)) for role, rows in roles.items()}


def of(kind: str, given: dict[str, Output], settings: dict | None = None, **targets) -> float:
    arrays = {name.replace("teacher_", "teacher."): np.array(x) for name, x in targets.items()}
    return float(LOSSES[kind](**settings or {})(Sample(given, targets=arrays)))


def test_cosent_sees_pairs_in_the_wrong_order():
    pairs = vectors(sentence1=[EAST, EAST, EAST], sentence2=[EAST, NORTH, NORTH])
    # Cosines 1, 0, 0. Row 1 should be above row 0 and row 2, row 2 above row 0.
    expected = math.log(1 + math.exp(2.0 * (1 - 0)) + math.exp(2.0 * (0 - 0)) + math.exp(2.0 * (1 - 0)))
    assert of("cosent", pairs, {"scale": 2.0}, score=[0.1, 0.9, 0.5]) == pytest.approx(expected)
    assert of("cosent", pairs, score=[0.5, 0.5, 0.5]) == pytest.approx(0)


def test_mse_of_cosines_and_of_scores():
    pairs = vectors(sentence1=[EAST, EAST], sentence2=[EAST, NORTH])
    assert of("mse", pairs, score=[0.5, 0.2]) == pytest.approx((0.5**2 + 0.2**2) / 2)
    assert of("mse", {"text": Output("scores", np.array([[3.0], [1.0]]))}, score=[1.0, 1.0]) == pytest.approx(2)


def test_cross_entropy_leaves_out_rows_without_a_label():
    texts = {"text": Output("scores", np.array([[0.0, math.log(3)], [5.0, 5.0], [9.0, 1.0]]))}
    assert of("cross_entropy", texts, label=[1, 0, -1]) == pytest.approx((-math.log(3 / 4) + math.log(2)) / 2)
    assert of("cross_entropy", texts, label=[-1, -1, -1]) == 0


def test_margin_mse_by_dot_product():
    rows = vectors(anchor=[EAST], positive=[[3.0, 0.0]], negative=[[1.0, 0.0], [2.0, 9.0]])
    got = of("margin_mse", rows, positive_score=[5.0], negative_score=[[2.0, 5.0]])
    assert got == pytest.approx((((3 - 1) - (5 - 2)) ** 2 + ((3 - 2) - (5 - 5)) ** 2) / 2)


def test_kl_of_two_distributions():
    rows = vectors(anchor=[EAST], positive=[EAST], negative=[NORTH])
    teacher = {"positive_score": [0.0], "negative_score": [[0.0]]}
    student = [math.e / (1 + math.e), 1 / (1 + math.e)]
    expected = sum(0.5 * math.log(0.5 / p) for p in student)
    assert of("kl", rows, {"temperature": 1.0}, **teacher) == pytest.approx(expected)
    assert of("kl", rows, {"temperature": 1.0}, positive_score=[1.0], negative_score=[[0.0]]) == pytest.approx(0)


def test_distillation_averages_over_teachers():
    texts = vectors(text=[EAST, NORTH])
    teachers = {"teacher_a": [EAST, EAST], "teacher_b": [EAST, NORTH]}
    assert of("distillation", texts, **teachers) == pytest.approx(((0 + 1) / 2 + 0) / 2)
    assert of("distillation", texts, {"how": "mse"}, **teachers) == pytest.approx(((0 + 0 + 1 + 1) / 4 + 0) / 2)


def test_flops_counts_a_word_that_comes_twice_once():
    ids, mask = np.array([[7, 7, 9], [7, 8, 9]]), np.array([[True, True, False], [True, True, True]])
    texts = {"text": Output("sparse", np.array([[1.0, 3.0, 50.0], [1.0, 4.0, 6.0]]), ids, mask)}
    assert of("flops", texts) == pytest.approx(((3 + 1) / 2) ** 2 + (4 / 2) ** 2 + (6 / 2) ** 2)


def test_maxsim_by_hand():
    queries = Output("tokens", np.array([[EAST, NORTH]]), mask=np.array([[True, True]]))
    documents = Output("tokens", np.array([[EAST, [0.6, 0.8]], [NORTH, NORTH]]), mask=np.array([[1, 1], [0, 0]]) > 0)
    assert own_scores(queries, documents).tolist() == [[1 + 0.8, 0]]
    given = scorer(queries, [documents])
    assert given.tile(slice(0, 1), given.rows, given.columns)[0].tolist() == [[1 + 0.8, 0]]


def test_equal_best_tokens_share_the_gradient():
    queries = Output("tokens", np.array([[EAST]]), mask=np.array([[True]]))
    given = scorer(queries, [Output("tokens", np.array([[EAST, EAST]]), mask=np.array([[True, True]]))])
    _, back = given.tile(slice(0, 1), given.rows, given.columns)
    at_queries, at_documents = back(np.ones((1, 1)))
    assert at_queries.tolist() == [[EAST]] and at_documents.tolist() == [[[0.5, 0.0], [0.5, 0.0]]]


@pytest.mark.parametrize("gives", ["sparse", "words", "tokens"])
def test_a_masked_candidate_is_as_good_as_absent(gives: str):
    anchors, positives, negatives = arrays(gives, roles_of("info_nce", gives)).values()
    mask = np.ones_like(holes())
    mask[:, ROWS:] = False
    with_all = function_of("info_nce", gives, mask=mask)(anchors, positives, negatives)
    pairs = outputs(gives, {"anchor": anchors, "positive": positives})
    assert with_all == pytest.approx(LOSSES["info_nce"]()(Sample(pairs)), rel=1e-6)
