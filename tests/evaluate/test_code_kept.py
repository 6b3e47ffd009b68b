"""What a code keeps, worked out by hand."""

import numpy as np
import pytest
from coded_vectors import clustered

from mlx_metaembed.evaluate.code_kept import Reference, kept


def line(count: int) -> np.ndarray:
    """Documents on a line: the query 1 finds them in falling order of their place."""
    return np.arange(count, dtype=np.float32)[:, None]


def test_all_is_kept_of_the_float_vectors_themselves():
    vectors = clustered(300, 16)
    reference = Reference(vectors[:40], vectors[40:], [{row: 1.0} for row in range(40)])
    found = kept(reference, reference.scores, draws=20)
    names = ("kept_r10", "kept_r100", "kept_spearman", "kept_ndcg", "kept_ndcg_rescored")
    assert all(found[f"{name}{end}"] == pytest.approx(1) for name in names for end in ("", "_low", "_high"))


def test_figures_by_hand():
    """Of 200 documents the code swaps the ten nearest with the ten after them, and puts the first answer last."""
    reference = Reference(np.ones((1, 1), np.float32), line(200), [{199: 1.0, 195: 1.0}])
    coded = line(200)[:, 0].copy()
    coded[190:200], coded[180:190] = coded[180:190].copy(), coded[190:200].copy()
    found = kept(reference, lambda queries: queries @ coded[None], draws=0)
    assert (found["kept_r10"], found["kept_r100"]) == (0.0, 1.0)
    # 199 and 195 are found by no code's ten, and by the float order of its hundred.
    assert (found["kept_ndcg"], found["kept_ndcg_rescored"]) == (0.0, 1.0)
    # Twenty ranks move by ten: 1 - 6 * 20 * 100 / (200 * (200^2 - 1)).
    assert found["kept_spearman"] == pytest.approx(1 - 6 * 20 * 100 / (200 * (200**2 - 1)))


def test_a_query_is_no_neighbour_of_its_own():
    vectors = np.eye(30, dtype=np.float32) + 0.1
    reference = Reference(vectors[:3], vectors, itself={0: 0, 1: 1, 2: 2})
    assert all(row not in reference.nearest[row] for row in range(3))


def test_intervals_hold_the_figure_and_narrow_with_queries():
    vectors = clustered(900, 24)
    noisy = vectors + np.random.default_rng(0).normal(0, 0.02, vectors.shape).astype(np.float32)
    widths = []
    for count in (20, 300):
        reference = Reference(vectors[:count], vectors[400:])
        found = kept(reference, lambda queries: queries @ noisy[400:].T, draws=200)
        assert set(found) == {
            f"kept_{name}{end}" for name in ("r10", "r100", "spearman") for end in ("", "_low", "_high")
        }
        assert found["kept_r10_low"] <= found["kept_r10"] <= found["kept_r10_high"]
        widths.append(found["kept_r10_high"] - found["kept_r10_low"])
    assert widths[1] < widths[0] / 2


def test_a_query_does_not_answer_itself_when_the_hundred_are_put_in_order_again():
    """The only answer is the nearest of the others; with the query itself first, nDCG would be 1 / log2(3)."""
    vectors = clustered(120, 16)
    near = np.argsort(-(vectors[:8] @ vectors.T) + 9 * np.eye(8, 120), axis=1)[:, 0]
    reference = Reference(vectors[:8], vectors, [{int(row): 1.0} for row in near], {row: row for row in range(8)})
    found = kept(reference, reference.scores, draws=0)
    assert found["kept_ndcg_rescored"] == pytest.approx(1.0) and reference.ndcg.tolist() == [1.0] * 8
