"""The residual codec: sums of centroids, found by a beam."""

import numpy as np
import pytest
from coded_vectors import clustered

from mlx_metaembed.codes.residual import Residual
from mlx_metaembed.errors import CallError


def by_hand() -> Residual:
    return Residual(1, np.zeros(1, np.float32), np.array([[[0.0], [4.0]], [[-1.0], [2.0]]], np.float32))


def test_a_beam_finds_a_sum_that_the_nearest_centroids_miss():
    """2.2 is nearer 4 than 0, but 0 + 2 is nearer than 4 - 1."""
    codec = by_hand()
    codes = codec.encode(np.array([[2.2], [3.2], [6.1], [-5.0]], np.float32))
    assert codes.tolist() == [[0, 1], [1, 0], [1, 1], [0, 0]]
    assert codec.decode(codes).tolist() == [[2.0], [3.0], [6.0], [-1.0]]
    assert codec.score(np.array([[10.0]], np.float32), codes).tolist() == [[20.0, 30.0, 60.0, -10.0]]


def test_a_byte_past_the_last_centroid_is_refused():
    with pytest.raises(CallError, match="one is 7, with 2 centroids a byte"):
        by_hand().decode(np.array([[0, 7]], np.uint8))


def test_every_stage_lowers_the_error():
    vectors = clustered(600, 24)
    codec = Residual.fit(vectors, 4, k=16)
    errors = []
    for stages in (1, 2, 3, 4):
        cut = Residual(24, codec.mean, codec.codebooks[:stages])
        errors.append(np.square(vectors - cut.decode(cut.encode(vectors))).sum())
    assert errors == sorted(errors, reverse=True) and errors[3] < 0.6 * errors[0]


def test_it_is_nearer_than_a_scalar_code_of_as_many_bytes_where_vectors_are_clustered():
    from mlx_metaembed.codes.scalar import Unscaled

    vectors = clustered(3_000, 32)
    sample, held = vectors[:2_500], vectors[2_500:]
    errors = []
    for codec in (Residual.fit(sample, 3), Unscaled.fit(sample, 3)):
        errors.append(np.square(held - codec.decode(codec.encode(held))).sum())
    assert errors[0] < 0.9 * errors[1]


def test_fewer_vectors_than_centroids_are_refused_with_how_many_are_needed():
    with pytest.raises(CallError, match=r"A stage of residual has 256 centroids.*found 100"):
        Residual.fit(clustered(100, 8), 2)


def test_a_fit_goes_on_behind_the_stages_that_are_kept():
    vectors, kept = clustered(400, 12), {}
    whole = Residual.fit(vectors, 3, k=16, stages=kept)
    made = []

    class Watched(dict):
        def __setitem__(self, stage: int, array: np.ndarray) -> None:
            made.append(stage)
            super().__setitem__(stage, array)

    again = Residual.fit(vectors, 3, k=16, stages=Watched({0: kept[0], 1: kept[1]}))
    assert made == [2]
    assert np.array_equal(again.codebooks, whole.codebooks)
