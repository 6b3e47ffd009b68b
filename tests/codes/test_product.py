"""Product quantizers: parts and centroids by hand, and what OPQ gives."""

import numpy as np
import pytest
from coded_vectors import clustered

from mlx_metaembed.codes.product import Optimized, Product
from mlx_metaembed.errors import CallError


def test_each_part_takes_its_nearest_centroid():
    """Three dimensions in two parts: the first alone, the other two together."""
    books = np.array([[0.0, 1.0, 1.0], [2.0, -1.0, 0.0]], np.float32)
    codec = Product(3, 2, np.zeros(3, np.float32), books)
    codes = codec.encode(np.array([[1.8, 0.9, 0.8], [0.1, -2.0, 0.0]], np.float32))
    assert codes.tolist() == [[1, 0], [0, 1]]
    assert codec.decode(codes).tolist() == [[2, 1, 1], [0, -1, 0]]
    assert codec.score(np.array([[1.0, 10.0, 100.0]], np.float32), codes).tolist() == [[112.0, -10.0]]


def test_opq_is_nearer_than_pq():
    vectors = clustered(1_500, 32)
    errors = []
    for kind in (Product, Optimized):
        codec = kind.fit(vectors[:1_000], 4, k=16)
        held = vectors[1_000:]
        errors.append(np.square(held - codec.decode(codec.encode(held))).sum())
    assert errors[1] < 0.9 * errors[0]


def test_fewer_vectors_than_centroids_are_refused():
    with pytest.raises(CallError, match="A part of opq has 256 centroids"):
        Optimized.fit(clustered(255, 8), 2)
