"""Losses: literal arithmetic, properties, and the same value and gradient on both engines."""

import math

import numpy as np
import pytest
from arrays import gradient_of, on, value_of

from mlx_metaembed.heads.output import Output
from mlx_metaembed.losses import Sample, info_nce, matryoshka, triplet
from mlx_metaembed.losses.infonce import InfoNce

EAST, NORTH, WEST = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]


def full(rows: int, negatives: int = 0) -> np.ndarray:
    return np.ones((rows, rows * (1 + negatives)), bool)


def test_info_nce_is_the_cross_entropy_of_the_own_positive():
    anchors, positives = np.array([EAST, NORTH]), np.array([EAST, EAST])
    # Row 0: cosines 1 and 1; row 1: cosines 0 and 0. Both see two equal candidates.
    assert info_nce(anchors, positives, None, full(2), temperature=0.5) == pytest.approx(math.log(2))
    positives = np.array([EAST, NORTH])
    expected = math.log(math.exp(1 / 0.5) + math.exp(0 / 0.5)) - 1 / 0.5
    assert info_nce(anchors, positives, None, full(2), temperature=0.5) == pytest.approx(expected)


def test_hard_negatives_of_every_row_are_candidates_of_every_row():
    anchors, positives = np.array([EAST, NORTH]), np.array([EAST, NORTH])
    negatives = np.array([[WEST], [EAST]])
    row0 = math.log(math.exp(1) + math.exp(0) + math.exp(-1) + math.exp(1)) - 1
    row1 = math.log(math.exp(0) + math.exp(1) + math.exp(0) + math.exp(0)) - 1
    got = info_nce(anchors, positives, negatives, full(2, 1), temperature=1.0)
    assert got == pytest.approx((row0 + row1) / 2)


def test_symmetric_averages_both_directions():
    anchors, positives = np.array([EAST, EAST]), np.array([EAST, NORTH])
    forward = ((math.log(math.e + 1) - 1) + (math.log(math.e + 1) - 0)) / 2
    back = ((math.log(2 * math.e) - 1) + (math.log(2) - 0)) / 2
    got = info_nce(anchors, positives, None, full(2), temperature=1.0, symmetric=True)
    assert got == pytest.approx((forward + back) / 2)


def test_a_masked_candidate_is_as_good_as_absent():
    random = np.random.default_rng(0)
    anchors, positives = random.standard_normal((2, 3, 5))
    negatives = random.standard_normal((3, 2, 5))
    mask = full(3, 2)
    mask[:, 3:] = False
    assert info_nce(anchors, positives, negatives, mask) == pytest.approx(info_nce(anchors, positives, None, full(3)))


@pytest.mark.parametrize(
    ("option", "left_out"), [({"false_negative_margin": 0.1}, 2), ({"false_negative_ratio": 0.95}, 2), ({}, None)]
)
def test_a_candidate_that_beats_the_positive_is_left_out(option: dict, left_out: int | None):
    anchors = np.array([EAST, NORTH])
    positives = np.array([[0.6, 0.8], NORTH])
    negatives = np.array([[EAST], [WEST]])
    mask = full(2, 1)
    if left_out is not None:
        mask[0, left_out] = False
    assert info_nce(anchors, positives, negatives, full(2, 1), **option) == pytest.approx(
        info_nce(anchors, positives, negatives, mask)
    )


def test_the_ratio_spares_what_is_clearly_worse_and_the_own_positive():
    anchors, positives = np.array([EAST, NORTH]), np.array([EAST, NORTH])
    plain = info_nce(anchors, positives, None, full(2))
    assert info_nce(anchors, positives, None, full(2), false_negative_ratio=0.95) == pytest.approx(plain)


def test_triplet_by_hand():
    anchors, positives = np.array([EAST, NORTH]), np.array([NORTH, NORTH])
    negatives = np.array([[WEST], [EAST]])
    # Cosine distances: row 0: 1 to the positive, 2 to the negative; row 1: 0 and 1.
    assert triplet(anchors, positives, negatives, full(2, 1), margin=1.5) == pytest.approx((0.5 + 0.5) / 2)
    root = math.sqrt(2)
    got = triplet(anchors, positives, negatives, full(2, 1), distance="euclidean", margin=1.0)
    assert got == pytest.approx((max(0.0, root - 2 + 1) + max(0.0, 0 - root + 1)) / 2, abs=1e-6)
    soft = triplet(anchors, positives, negatives, full(2, 1), margin=0.0, soft_margin=True)
    assert soft == pytest.approx(math.log(1 + math.exp(-1)))


def test_triplet_counts_only_real_negatives():
    anchors, positives = np.array([EAST, NORTH]), np.array([EAST, NORTH])
    negatives = np.array([[EAST, WEST], [NORTH, NORTH]])
    mask = full(2, 2)
    # Row 0 keeps its first negative only (columns 2 and 3 are its own), row 1 none (columns 4 and 5).
    mask[0, 3] = mask[1, 4] = mask[1, 5] = False
    assert triplet(anchors, positives, negatives, mask, margin=0.2) == pytest.approx(0.2)
    mask[0, 2] = False
    assert triplet(anchors, positives, negatives, mask, margin=0.2) == 0.0


def test_matryoshka_sums_the_loss_over_normalised_prefixes():
    random = np.random.default_rng(1)
    anchors, positives = random.standard_normal((2, 4, 6))
    expected = sum(info_nce(anchors[:, :width], positives[:, :width], None, full(4)) for width in (6, 2))
    assert matryoshka(info_nce, (6, 2))(anchors, positives, None, full(4)) == pytest.approx(expected)


def test_matryoshka_weights_count_each_width():
    random = np.random.default_rng(1)
    anchors, positives = random.standard_normal((2, 4, 6))
    expected = info_nce(anchors, positives, None, full(4)) + 3 * info_nce(
        anchors[:, :2], positives[:, :2], None, full(4)
    )
    assert matryoshka(info_nce, (6, 2), (1, 3))(anchors, positives, None, full(4)) == pytest.approx(expected)


LOSSES = {
    "info_nce": (info_nce, {"symmetric": True, "false_negative_margin": 0.1}),
    "triplet": (triplet, {}),
    "euclidean": (triplet, {"distance": "euclidean", "soft_margin": True}),
    "matryoshka": (matryoshka(info_nce, (8, 4)), {}),
    "widths": (info_nce, {"widths": (8, 4, 2), "weights": (1, 2, 3), "symmetric": True}),
}


@pytest.mark.parametrize("name", LOSSES)
def test_value_and_gradient_match_the_float64_referee(engine_name: str, name: str):
    loss, settings = LOSSES[name]
    random = np.random.default_rng(2)
    anchors, positives = random.standard_normal((2, 5, 8)).astype(np.float32)
    negatives = random.standard_normal((5, 2, 8)).astype(np.float32)
    mask = full(5, 2)
    mask[1, 6] = mask[3, 0] = False

    def of(x, p, n, m):
        return loss(x, p, n, m, **settings)

    wide = [x.astype(np.float64) for x in (anchors, positives, negatives)]
    assert value_of(engine_name, of, anchors, positives, negatives, mask) == pytest.approx(of(*wide, mask), rel=2e-6)
    got = gradient_of(engine_name, of, anchors, positives, negatives, mask)
    step = 1e-5
    for place in ((0, 0), (1, 3), (4, 7)):
        up, down = wide[0].copy(), wide[0].copy()
        up[place] += step
        down[place] -= step
        slope = (of(up, *wide[1:], mask) - of(down, *wide[1:], mask)) / (2 * step)
        assert got[place] == pytest.approx(slope, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e15])
def test_extreme_vectors_give_finite_values_and_gradients(engine_name: str, name: str, scale: float):
    loss, settings = LOSSES[name]
    x = (np.ones((3, 8)) * scale).astype(np.float32)
    negatives = np.zeros((3, 1, 8), np.float32)
    mask = np.zeros((3, 6), bool)
    np.fill_diagonal(mask, True)
    arrays = (x, x, negatives, mask)
    assert np.isfinite(value_of(engine_name, lambda *each: loss(*each, **settings), *arrays))
    assert np.isfinite(gradient_of(engine_name, lambda *each: loss(*each, **settings), *arrays)).all()


def of_pairs(engine_name: str, **settings) -> float:
    """InfoNCE of two anchors that are one text, with their positives EAST and NORTH, at temperature 1."""

    def loss(anchors, positives):
        given = {"anchor": Output("vector", anchors), "positive": Output("vector", positives)}
        numbers = {"anchor_number": on(engine_name, np.array([0, 0], np.int32))}
        return InfoNce(temperature=1.0, **settings)(Sample(given, targets=numbers))

    return value_of(engine_name, loss, np.array([EAST, EAST], np.float32), np.array([EAST, NORTH], np.float32))


def test_hardness_is_added_to_the_logits_of_negatives(engine_name: str):
    # Row 0: own score 1, the other's 0. Row 1: own 0, the other's 1, which counts as 1 + 3.
    expected = (math.log(math.e + 1) - 1 + math.log(1 + math.exp(1 + 3)) - 0) / 2
    assert of_pairs(engine_name, hardness_strength=3.0) == pytest.approx(expected)


def test_all_positives_of_an_anchor_are_as_good(engine_name: str):
    expected = math.log(math.e + 1) - (1 + 0) / 2
    assert of_pairs(engine_name, same_anchor="positives") == pytest.approx(expected)


def test_directions_share_one_denominator(engine_name: str):
    # Anchors score 1 with each other, positives 0.
    names = ("query_to_doc", "query_to_query", "doc_to_doc")
    expected = math.log(math.e + 1 + math.e + 1) - (1 + 0) / 2
    assert of_pairs(engine_name, directions=names) == pytest.approx(expected)
