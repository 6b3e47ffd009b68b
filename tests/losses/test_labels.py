"""Losses on labels and on labelled pairs by hand, what they leave out, and that no triplets are held whole."""

import math

import numpy as np
import pytest
from arrays import gradient_of, on, value_of

from mlx_metaembed.heads.output import Output
from mlx_metaembed.losses import LOSSES, Sample, batch_triplets
from mlx_metaembed.losses.batch_all_triplet import BatchAllTriplet
from mlx_metaembed.losses.batch_semi_hard_triplet import BatchSemiHardTriplet

EAST, NORTH, WEST = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]
NEAR = [0.6, 0.8]
"""Cosine .6 with EAST, .8 with NORTH, -.6 with WEST."""
TRIPLETS = [kind for kind in LOSSES if kind.startswith("batch_")]


def of(kind: str, vectors: list, labels: list, **settings) -> float:
    given = {"text": Output("vector", np.array(vectors))}
    return float(LOSSES[kind](**settings)(Sample(given, targets={"label": np.array(labels, np.int32)})))


def of_pairs(kind: str, one: list, other: list, scores: list, **settings) -> float:
    given = {"sentence1": Output("vector", np.array(one)), "sentence2": Output("vector", np.array(other))}
    return float(LOSSES[kind](**settings)(Sample(given, targets={"score": np.array(scores)})))


def test_contrastive_draws_the_alike_together_and_the_others_apart():
    # Distances 0.4 (alike), 0.2 (not), 1 (not).
    got = of_pairs("contrastive", [EAST, NORTH, EAST], [NEAR, NEAR, NORTH], [1.0, 0.0, 0.0])
    assert got == pytest.approx((0.4**2 + (0.5 - 0.2) ** 2 + 0) / 2 / 3)
    got = of_pairs("contrastive", [EAST, EAST], [NORTH, WEST], [1.0, 0.0], distance="euclidean", margin=3.0)
    assert got == pytest.approx((2 + (3 - 2) ** 2) / 2 / 2)


def test_online_contrastive_takes_hard_pairs_alone():
    # Alike at 0 and 0.4, not alike at 0.2 and 1: the nearest of those is 0.2, the farthest alike 0.4.
    got = of_pairs("online_contrastive", [EAST, EAST, NORTH, EAST], [EAST, NEAR, NEAR, NORTH], [1.0, 1.0, 0.0, 0.0])
    assert got == pytest.approx(0.4**2 + (0.5 - 0.2) ** 2)
    # Without negatives, the positives beyond their mean.
    got = of_pairs("online_contrastive", [EAST, EAST], [EAST, NEAR], [1.0, 1.0])
    assert got == pytest.approx(0.4**2)


def test_angle_is_cosent_of_cosine_and_sine():
    # Row 0: cosine 0.6, sine 0 * 0.6 - 1 * 0.8. Row 1: cosine 1, sine 0.
    got = of_pairs("angle", [EAST, EAST], [NEAR, EAST], [1.0, 0.0], scale=2.0)
    assert got == pytest.approx(math.log(1 + math.exp(2.0 * (1 - abs(0.6 - 0.8)))))


def test_nt_xent_with_many_positives():
    # Texts 0, 1 and 2 are of one label, 3 of another, 4 of none.
    got = of("nt_xent", [EAST, EAST, NORTH, WEST, EAST], [0, 0, 0, 1, -1], temperature=1.0)
    of_east = math.log(math.e + 1 + 1 / math.e) - (1 + 0) / 2
    of_north = math.log(1 + 1 + 1) - (0 + 0) / 2
    assert got == pytest.approx((2 * of_east + of_north) / 3)


def test_batch_hard_takes_the_farthest_positive_and_the_nearest_negative():
    # Label 0: EAST, NEAR, NORTH; label 1: WEST. It has no positive, and says nothing.
    vectors, labels = [EAST, NEAR, NORTH, WEST], [0, 0, 0, 1]
    each = [(1 - 0) - (1 + 1), (1 - 0.6) - (1 + 0.6), (1 - 0) - (1 - 0)]
    hard = [max(0, x + 1.5) for x in each]
    assert of("batch_hard_triplet", vectors, labels, margin=1.5) == pytest.approx(sum(hard) / 3)
    soft = [math.log(1 + math.exp(x)) for x in each]
    assert of("batch_hard_soft_margin_triplet", vectors, labels) == pytest.approx(sum(soft) / 3)


def test_batch_all_averages_over_the_triplets_above_zero():
    vectors, labels = [EAST, NEAR, WEST], [0, 0, 1]
    each = [(1 - 0.6) - (1 + 1), (1 - 0.6) - (1 + 0.6)]
    assert of("batch_all_triplet", vectors, labels, margin=1.5) == pytest.approx(1.5 + each[1])
    soft = [math.log(1 + math.exp(x + 1.5)) for x in each]
    assert of("batch_all_triplet", vectors, labels, margin=1.5, soft_margin=True) == pytest.approx(sum(soft) / 2)
    got = of("batch_all_triplet", vectors, labels, distance="euclidean", margin=0.0)
    assert got == pytest.approx(0)


def test_semi_hard_takes_the_nearest_negative_beyond_the_positive():
    # From EAST: the positive NEAR at 0.4; negatives NORTH at 1 and WEST at 2, both beyond it.
    # From NEAR: the positive at 0.4; NORTH at 0.2 is nearer, WEST at 1.6 beyond.
    # From NORTH and WEST, each other's positives at 1: negatives at 1 and 0.2, and at 2 and 1.6.
    from_east, from_near = (0.4 - 1), (0.4 - 1.6)
    # None is beyond NORTH's positive: the farthest, EAST at 1.
    from_north, from_west = 1 - 1, 1 - 1.6
    each = [max(0, x + 1) for x in (from_east, from_near, from_north, from_west)]
    got = of("batch_semi_hard_triplet", [EAST, NEAR, NORTH, WEST], [0, 0, 1, 1], margin=1.0)
    assert got == pytest.approx(sum(each) / 4)


def test_spread_out_sees_texts_that_are_alike():
    got = of("spread_out", [EAST, EAST, NORTH], [0, 0, 0])
    first, second = (2 * 1 + 4 * 0) / 6, (2 * 1 + 4 * 0) / 6
    assert got == pytest.approx(first**2 + max(0, second - 1 / 2))
    wide = [[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
    assert of("spread_out", wide, [0, 0]) == pytest.approx(1 + (1 - 1 / 4))


@pytest.mark.parametrize(
    ("kind", "targets", "names", "fault"),
    [
        ("contrastive", {"score": [1.0, 0.5]}, (), "row 2 has the score 0.5, and 1 of 2 rows are like it"),
        ("online_contrastive", {"score": [1.0, 1.0]}, (), "all 2 rows have the label 1; expected pairs with 1"),
        ("cosent", {"score": [0.5, 0.5]}, (), "all 2 rows have the score 0.5; expected scores that differ"),
        ("angle", {"score": [3.0, 3.0]}, (), "all 2 rows have the score 3; expected scores that differ"),
        ("nt_xent", {"label": [0, 0]}, ("red",), "all 2 texts have the label 'red'; expected two or more"),
        ("batch_all_triplet", {"label": [0, 1]}, ("red", "blue"), "no label has two texts, 'red' as little as"),
    ],
)
def test_rows_that_teach_nothing_are_named(kind: str, targets: dict, names: tuple, fault: str):
    given = {name: np.array(x, np.int32 if name == "label" else np.float32) for name, x in targets.items()}
    (found,) = LOSSES[kind].row_faults(given, names)
    assert found.startswith(fault)


def test_scores_that_no_cosine_can_be_are_named():
    def found(scores: list[float], gives: str, **settings: object) -> list[str]:
        return LOSSES["mse"](**settings).score_faults({"score": np.array(scores, np.float32)}, gives)

    (line,) = found([1.0, 4.0, 5.0], "vector")
    assert line == (
        "row 2 has the score 4, and 2 of 3 rows are like it; a cosine is from -1 to 1. Divide the scores by 5, or take "
        "cosent, which learns their order"
    )
    assert found([0.5, 0.5], "code")[0].startswith("all 2 rows have the score 0.5, and nothing says which texts are")
    assert found([-1.0, 1.0], "vector") == found([1.0, 4.0], "scores") == found([4.0, 5.0], "tokens") == []
    said = "all 2 rows have the score 4, and one number says all of them; expected scores that differ"
    assert found([4.0, 4.0], "scores") == found([4.0, 4.0], "tokens") == [said]
    assert found([1.0, 4.0], "vector", similarity="dot") == []


def test_labels_with_one_text_are_said():
    targets = {"label": np.array([0, 0, 1, 2], np.int32)}
    assert LOSSES["nt_xent"].row_faults(targets, ("a", "b", "c")) == []
    said = "2 labels have one text only ('b', 'c'); each has no positive and is a negative of the others alone"
    assert LOSSES["nt_xent"].row_note(targets, ("a", "b", "c")) == said
    assert LOSSES["nt_xent"].row_note({"label": np.array([0, 0], np.int32)}, ("a",)) == ""


@pytest.mark.parametrize("kind", ["nt_xent", *TRIPLETS])
@pytest.mark.parametrize("labels", [[0, 1, 2], [3, 3, 3], [-1, -1, -1]])
def test_labels_that_say_nothing_give_zero(engine_name: str, kind: str, labels: list):
    vectors = np.array([EAST, NEAR, NORTH], np.float32)

    def loss(x):
        given = Sample({"text": Output("vector", x)}, targets={"label": on(engine_name, np.array(labels, np.int32))})
        return LOSSES[kind]()(given)

    if kind == "nt_xent" and labels[0] == 3:
        # All are positives: the best is that all are equally near.
        assert np.isfinite(value_of(engine_name, loss, vectors))
        return
    assert value_of(engine_name, loss, vectors) == 0
    assert (gradient_of(engine_name, loss, vectors) == 0).all()


@pytest.mark.parametrize("kind", TRIPLETS)
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_equal_texts_are_finite(engine_name: str, kind: str, distance: str):
    vectors = np.array([EAST, EAST, EAST, NORTH], np.float32) * 100

    def loss(x):
        labels = on(engine_name, np.array([0, 0, 1, 1], np.int32))
        return LOSSES[kind](distance=distance)(Sample({"text": Output("vector", x)}, targets={"label": labels}))

    assert np.isfinite(value_of(engine_name, loss, vectors))
    assert np.isfinite(gradient_of(engine_name, loss, vectors)).all()


@pytest.mark.parametrize("loss", [BatchAllTriplet(margin=1.0), BatchSemiHardTriplet(margin=1.0)], ids=str)
def test_small_blocks_give_what_one_gives(engine_name: str, loss, monkeypatch: pytest.MonkeyPatch):
    random = np.random.default_rng(0)
    vectors = random.standard_normal((9, 4)).astype(np.float32)
    labels = random.integers(0, 3, 9).astype(np.int32)

    def of(x):
        return loss(Sample({"text": Output("vector", x)}, targets={"label": on(engine_name, labels)}))

    one = value_of(engine_name, of, vectors), gradient_of(engine_name, of, vectors)
    for most in (1, 40, 200):
        monkeypatch.setattr(f"{type(loss).__module__}.MOST_TRIPLETS", most)
        assert value_of(engine_name, of, vectors) == pytest.approx(one[0], rel=1e-5)
        np.testing.assert_allclose(gradient_of(engine_name, of, vectors), one[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["nt_xent", *TRIPLETS])
def test_the_bytes_held_are_as_foretold(mlx_engine: str, kind: str):
    import mlx.core as mx

    from benchmarks.memory.counted import counted
    from mlx_metaembed.losses import Sizes

    rows, features = 256, 96
    random = np.random.default_rng(0)
    vectors = on(mlx_engine, random.standard_normal((rows, features)).astype(np.float32))
    labels = on(mlx_engine, random.integers(0, 16, rows).astype(np.int32))
    loss = LOSSES[kind]()

    def of(x):
        return loss(Sample({"text": Output("vector", x)}, targets={"label": labels}))

    mx.eval(vectors, labels)
    derived = mx.value_and_grad(of)
    held, foretold = (
        max(counted(mlx_engine, lambda: mx.eval(derived(vectors))) for _ in range(3)),
        loss.held_bytes(Sizes(rows, 0, features)),
    )
    assert held < 1.25 * foretold
    assert held < 4 * rows**3, "a matrix of all triplets would be held"
    assert rows**3 > batch_triplets.MOST_TRIPLETS
