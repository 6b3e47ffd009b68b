"""Losses on teachers' vectors by hand: KL over a batch's documents, cosines as a teacher has them, and their order."""

import math
from itertools import combinations

import numpy as np
import pytest
from arrays import gradient_of, on, value_of

from mlx_metaembed.heads.output import Output
from mlx_metaembed.losses import LOSSES, Sample, Sizes, pairs_of_pairs
from mlx_metaembed.losses.pairs_of_pairs import hinge
from mlx_metaembed.losses.relative_similarity_distillation import groups, pair_cosines
from mlx_metaembed.losses.tiles import TILE

EAST, NORTH, WEST = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]


def of(kind: str, outputs: dict, targets: dict, settings: dict | None = None, widths: tuple = ()) -> float:
    given = {role: Output("vector", np.array(rows)) for role, rows in outputs.items()}
    taught = {name: np.array(rows) for name, rows in targets.items()}
    return float(LOSSES[kind](**settings or {})(Sample(given, targets=taught, widths=widths)))


def test_kl_over_all_documents_of_the_batch():
    rows = {"anchor": [EAST, NORTH], "positive": [EAST, NORTH]}
    # The teacher sees no difference: half each. The student has e and 1.
    blind = {"teacher.anchor.a": [[1.0], [1.0]], "teacher.positive.a": [[1.0], [1.0]]}
    warm = {"temperature": 1.0, "teacher_temperature": 1.0}
    near, far = math.e / (1 + math.e), 1 / (1 + math.e)
    expected = 0.5 * math.log(0.5 / near) + 0.5 * math.log(0.5 / far)
    assert of("kl_in_batch", rows, blind, warm) == pytest.approx(expected)
    same = {f"teacher.{role}.b": x for role, x in rows.items()}
    assert of("kl_in_batch", rows, same, warm) == pytest.approx(0, abs=1e-7)
    assert of("kl_in_batch", rows, blind | same, warm) == pytest.approx(expected / 2)
    # A row's own negatives are documents of the batch as well.
    more = rows | {"negative": [WEST, WEST]}
    alike = {"teacher.anchor.a": rows["anchor"], "teacher.positive.a": rows["positive"]}
    alike["teacher.negative.a"] = [[NORTH], [WEST]]
    shares = np.exp([[1, 0, 0, -1], [0, 1, 1, 0]])
    shares /= shares.sum(axis=1, keepdims=True)
    student = np.exp([[1, 0, -1, -1], [0, 1, 0, 0]])
    student /= student.sum(axis=1, keepdims=True)
    assert of("kl_in_batch", more, alike, warm) == pytest.approx((shares * np.log(shares / student)).sum() / 2)


def test_the_teachers_temperature_sharpens_its_shares():
    rows = {"anchor": [EAST, NORTH], "positive": [EAST, NORTH]}
    taught = {f"teacher.{role}.a": x for role, x in rows.items()}
    sharp = math.exp(2) / (1 + math.exp(2))
    soft = math.e / (1 + math.e)
    expected = sharp * math.log(sharp / soft) + (1 - sharp) * math.log((1 - sharp) / (1 - soft))
    got = of("kl_in_batch", rows, taught, {"temperature": 1.0, "teacher_temperature": 0.5})
    assert got == pytest.approx(expected)


def test_cosines_as_a_teacher_has_them():
    texts = {"text": [EAST, NORTH, WEST]}
    taught = {"teacher.a": [[1.0], [1.0], [1.0]]}
    # The teacher has 1 everywhere; the student 0, -1 and 0, each twice, and 1 with itself.
    assert of("similarity_distillation", texts, taught) == pytest.approx(2 * (1 + 4 + 1) / 9)
    both = taught | {"teacher.b": texts["text"]}
    assert of("similarity_distillation", texts, both) == pytest.approx(2 * (1 + 4 + 1) / 9 / 2)


def test_a_teachers_vectors_stay_whole_at_every_width():
    texts = {"text": [[1.0, 0.0, 5.0], [0.0, 1.0, 5.0]]}
    taught = {"teacher.a": [[1.0, 2.0, 0.0, 3.0], [0.0, 0.0, 1.0, 0.0]]}
    # The teacher's cosine is 0, as the student's of two features; of one the student's second vector is 0.
    assert of("similarity_distillation", texts, taught, widths=(2,)) == pytest.approx(0, abs=1e-6)
    assert of("similarity_distillation", texts, taught, widths=(3,)) == pytest.approx(2 * (25 / 26) ** 2 / 4, abs=1e-6)


def test_pairs_in_another_order_than_the_teachers():
    vectors = np.array([EAST, NORTH, WEST])
    assert pair_cosines(vectors).tolist() == [0, -1, 0]
    # The teacher: pair 0 over pair 2 over pair 1. The student: pairs 0 and 2 are equal, and both over pair 1 by 1.
    teacher = {"teacher.a": [[1.0, 0.0, 0.0], [0.9, math.sqrt(1 - 0.81), 0.0], [0.0, 0.5, math.sqrt(0.75)]]}
    assert of("relative_similarity_distillation", {"text": vectors}, teacher, {"margin": 0.25}) == pytest.approx(
        (0.25 + 0 + 0) / 3
    )
    turned = {"teacher.a": [EAST, NORTH, EAST]}
    # Now pair 1 (EAST with EAST) is over both others, which are equal: relu(0 - -1 + 0.25), twice.
    assert of("relative_similarity_distillation", {"text": vectors}, turned, {"margin": 0.25}) == pytest.approx(1.25)
    assert of("relative_similarity_distillation", {"text": vectors}, {"teacher.a": [EAST] * 3}) == 0
    assert of("relative_similarity_distillation", {"text": vectors[:2]}, {"teacher.a": [EAST] * 2}) == 0


def plain(scores: np.ndarray, teacher: np.ndarray, margin: float) -> float:
    """All pairs of pairs at once, as the paper writes them."""
    found = []
    for one, other in combinations(range(len(scores)), 2):
        if teacher[one] != teacher[other]:
            low, high = (one, other) if teacher[one] < teacher[other] else (other, one)
            found.append(max(0, scores[low] - scores[high] + margin))
    return float(np.mean(found))


@pytest.mark.parametrize("most", [1, 7, 40, 1 << 20])
def test_blocks_of_any_size_give_one_value_and_gradient(engine_name: str, monkeypatch: pytest.MonkeyPatch, most: int):
    monkeypatch.setattr(pairs_of_pairs, "MOST", most)
    random = np.random.default_rng(3)
    scores = random.standard_normal(21).astype(np.float32)
    teacher = random.integers(0, 6, 21).astype(np.float32)

    def loss(x, y):
        return hinge(x, y, 0.3)

    assert value_of(engine_name, loss, scores, teacher) == pytest.approx(plain(scores, teacher, 0.3), rel=1e-5)
    got, step = gradient_of(engine_name, loss, scores, teacher), 1e-6
    for at in range(21):
        ends = [plain(scores + sign * step * np.eye(21)[at], teacher.astype(float), 0.3) for sign in (1, -1)]
        assert got[at] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-5)


def test_larger_batches_are_compared_in_even_groups():
    assert groups(128, 128) == [slice(0, 128)]
    assert groups(130, 64) == [slice(0, 43), slice(43, 86), slice(86, 130)]
    random = np.random.default_rng(1)
    texts, teacher = random.standard_normal((9, 4)), random.standard_normal((9, 3))
    kind, taught = "relative_similarity_distillation", {"teacher.a": teacher}
    parts = [of(kind, {"text": texts[p]}, {"teacher.a": teacher[p]}) for p in (slice(0, 4), slice(4, 9))]
    assert of(kind, {"text": texts}, taught, {"group_size": 5}) == pytest.approx(sum(parts) / 2)


@pytest.mark.parametrize("kind", ["kl_in_batch", "similarity_distillation"])
def test_many_tiles_are_one_matrix(engine_name: str, kind: str):
    count = TILE + 17
    random = np.random.default_rng(5)
    single = "text" in LOSSES[kind].roles
    roles = ("text",) if single else ("anchor", "positive")
    drawn = [random.standard_normal((count, 6)).astype(np.float32) for _ in roles]
    taught = [random.standard_normal((count, 3)).astype(np.float32) for _ in roles]

    def loss(*arrays):
        given, shown = arrays[: len(roles)], arrays[len(roles) :]
        outputs = {role: Output("vector", x) for role, x in zip(roles, given, strict=True)}
        names = ("teacher.a",) if single else [f"teacher.{role}.a" for role in roles]
        return LOSSES[kind]()(Sample(outputs, targets=dict(zip(names, shown, strict=True))))

    ours = value_of(engine_name, loss, *drawn, *taught)
    student, teacher = (
        x[0] @ x[-1].T
        for x in ([x / np.linalg.norm(x, axis=1, keepdims=True) for x in each] for each in (drawn, taught))
    )
    if single:
        expected = np.mean((student - teacher) ** 2)
    else:
        logs = [x / 0.05 - np.log(np.exp(x / 0.05).sum(axis=1, keepdims=True)) for x in (teacher, student)]
        expected = (np.exp(logs[0]) * (logs[0] - logs[1])).sum(axis=1).mean()
    assert ours == pytest.approx(expected, rel=1e-4)


HELD = {"gist": 1024, "kl_in_batch": 1024, "similarity_distillation": 1024, "relative_similarity_distillation": 96}


@pytest.mark.parametrize("kind", HELD)
def test_the_bytes_held_are_as_foretold(mlx_engine: str, kind: str):
    import mlx.core as mx

    from benchmarks.memory.counted import counted

    rows, features, wide = HELD[kind], 64, 96
    random, loss = np.random.default_rng(0), LOSSES[kind]()
    roles = ("text",) if "text" in loss.roles else ("anchor", "positive")
    vectors = [on(mlx_engine, random.standard_normal((rows, features)).astype(np.float32)) for _ in roles]
    shown = [on(mlx_engine, random.standard_normal((rows, wide)).astype(np.float32)) for _ in roles]
    names = ["teacher.a"] if len(roles) == 1 else [f"teacher.{role}.a" for role in roles]

    def of(*given):
        outputs = {role: Output("vector", x) for role, x in zip(roles, given, strict=True)}
        return loss(Sample(outputs, targets=dict(zip(names, shown, strict=True))))

    mx.eval(vectors, shown)
    derived = mx.value_and_grad(of, argnums=tuple(range(len(roles))))
    held = max(counted(mlx_engine, lambda: mx.eval(derived(*vectors))) for _ in range(3))
    candidates = 0 if len(roles) == 1 else rows
    foretold = loss.held_bytes(Sizes(rows, candidates, features, teacher_features=wide))
    assert 0.4 * foretold < held < 1.15 * foretold
    if kind == "relative_similarity_distillation":
        assert foretold < 16 * (rows * (rows - 1) // 2) ** 2, "a few matrices of all pairs of pairs would be held"
