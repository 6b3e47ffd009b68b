"""RaBitQ: signs, factor and bound by hand, and how often the bound holds."""

import numpy as np
import pytest
from coded_vectors import clustered

from mlx_metaembed.codes.rabitq import RaBitQ


def by_hand() -> RaBitQ:
    """Two dimensions that are not turned, the mean at (1, 0)."""
    return RaBitQ(2, np.array([1.0, 0.0], np.float32), np.eye(2, dtype=np.float32))


def test_factor_and_margin_by_hand():
    codec = by_hand()
    codes = codec.encode(np.array([[4.0, -4.0]], np.float32))
    # The difference (3, -4): signs + -, factor 25 / (7 / 2), cosine with the signs 7 / (5 sqrt 2),
    # margin 5 sqrt(1 / cosine^2 - 1) / sqrt(2 - 1).
    assert codes[0, 0] == 0b1000_0000
    factor, margin = codes[0, 1:].view("<f2").astype(float)
    assert factor == pytest.approx(25 / 3.5, rel=1e-3)
    assert margin == pytest.approx(5 * np.sqrt(50 / 49 - 1), rel=1e-3)
    # The score of the difference with itself is its square.
    assert codec.score(np.array([[3.0, -4.0]], np.float32), codes)[0, 0] == pytest.approx(3 + 25, rel=1e-3)
    assert codec.bound(np.array([[3.0, 4.0]], np.float32), codes, 2.0)[0, 0] == pytest.approx(10 * margin, rel=1e-3)


def test_the_mean_comes_back_as_itself():
    codec = by_hand()
    assert codec.decode(codec.encode(codec.mean[None])).tolist() == [[1.0, 0.0]]


def test_the_bound_holds_for_nineteen_in_twenty():
    """94 % at 1.9, as the paper says."""
    vectors = clustered(3_000, 128)
    codec = RaBitQ.fit(vectors[:2_000], 20)
    queries, searched = vectors[2_000:2_100], vectors[2_100:]
    codes = codec.encode(searched)
    error = np.abs(codec.score(queries, codes) - queries @ searched.T)
    assert 0.93 < np.mean(error <= codec.bound(queries, codes)) < 0.98
    assert 0.6 < np.mean(error <= codec.bound(queries, codes, 1.0)) < 0.75
    assert abs(np.polyfit((queries @ searched.T).ravel(), codec.score(queries, codes).ravel(), 1)[0] - 1) < 0.02


def test_other_bytes_than_its_own_are_refused():
    from mlx_metaembed.codes import kinds
    from mlx_metaembed.errors import CallError

    with pytest.raises(CallError, match="rabitq takes 20 bytes of a vector of 128 dimensions; that is one bit a"):
        kinds.fit("rabitq", clustered(50, 128), 19)
