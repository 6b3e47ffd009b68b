"""K-means and V-measure."""

import numpy as np
import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import clustering, kmeans


def around(angle: float, count: int) -> np.ndarray:
    angles = np.radians(angle + np.arange(count))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_clouds_are_found_whatever_the_seed():
    vectors = np.concatenate([around(0, 6), around(90, 6), around(180, 6), around(270, 6)])
    for seed in range(5):
        found = kmeans.clusters(vectors, 4, seed=seed)
        assert [len(set(found[first : first + 6].tolist())) for first in range(0, 24, 6)] == [1, 1, 1, 1]
        assert len(set(found.tolist())) == 4


def test_centres_are_means():
    # 0, 1 | 10, 12, 14: the best cut in two, with squares 1/2 + 8.
    vectors = np.array([[0.0], [1.0], [10.0], [12.0], [14.0]])
    for seed in range(4):
        found = kmeans.clusters(vectors, 2, seed=seed)
        assert (found == found[0]).tolist() == [True, True, False, False, False]


def test_blocks_give_what_the_whole_gives(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    whole = kmeans.clusters(vectors, 5)
    monkeypatch.setattr(kmeans, "FLOATS", 5 * 7)
    assert kmeans.clusters(vectors, 5).tolist() == whole.tolist()


def test_equal_vectors_are_one_cluster():
    assert set(kmeans.clusters(np.ones((6, 3)), 3).tolist()) == {0}


def test_v_measure_by_hand():
    # a a b b in the clusters 0 0 0 1. Labels and clusters have entropies ln 2 and 0.5623; both together 1.0397.
    found = clustering.agreement(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])).figures(None)
    of_found, both = -(3 / 4 * np.log(3 / 4) + 1 / 4 * np.log(1 / 4)), -(1 / 2 * np.log(1 / 2) + 2 / 4 * np.log(1 / 4))
    shared = np.log(2) + of_found - both
    homogeneity, completeness = shared / np.log(2), shared / of_found
    assert found == pytest.approx(
        {
            "v_measure": 2 * homogeneity * completeness / (homogeneity + completeness),
            "homogeneity": homogeneity,
            "completeness": completeness,
        }
    )


def test_agreement_does_not_depend_on_names():
    assert clustering.agreement(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0])).figures(None)["v_measure"] == 1
    assert clustering.agreement(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 0])).figures(None)["v_measure"] == 0


def test_it_is_scikit_learns(scikit_learn):
    from sklearn.metrics import homogeneity_completeness_v_measure

    random = np.random.default_rng(1)
    gold, found = random.integers(0, 4, 50), random.integers(0, 6, 50)
    names = ("homogeneity", "completeness", "v_measure")
    theirs = dict(zip(names, homogeneity_completeness_v_measure(gold, found), strict=True))
    assert clustering.agreement(gold, found).figures(None) == pytest.approx(theirs)


def test_weights_count_a_text_so_often():
    gold, found, weights = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), np.array([2, 1, 0, 3])
    again = clustering.agreement(np.repeat(gold, weights), np.repeat(found, weights)).figures(None)
    assert clustering.agreement(gold, found).figures(weights) == pytest.approx(again)


@pytest.mark.parametrize(
    ("labels", "message"), [(["a"] * 3, "at least 2 different labels; found 1"), (["a", "b"], "each of the 2 texts")]
)
def test_labels_that_make_no_clusters_are_refused(labels, message):
    with pytest.raises(CallError, match=message):
        clustering.judge(np.eye(len(labels)), labels)
