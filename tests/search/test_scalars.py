"""What an index stores of a vector."""

import numpy as np

from mlx_metaembed.search import scalars


def test_i8_uses_the_whole_range_of_a_byte_for_each_vector():
    found = scalars.stored(np.array([[0.1, -0.05], [0.001, 0.002], [0.0, 0.0]], np.float32), "i8")
    assert found.dtype == np.int8
    assert found.tolist() == [[127, -64], [64, 127], [0, 0]]


def test_what_is_stored_comes_back():
    vectors = np.random.default_rng(0).normal(size=(5, 20)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.allclose(scalars.restored(scalars.stored(vectors, "i8"), "i8", 20), vectors, atol=0.005)
    assert np.array_equal(scalars.restored(scalars.stored(vectors, "f32"), "f32", 20), vectors)
    signs = scalars.restored(scalars.stored(vectors, "b1"), "b1", 20)
    assert np.allclose(signs, np.sign(vectors) / 20**0.5)


def test_distances_become_scores():
    distances = np.array([0.25, 4.0], np.float32)
    assert scalars.scores(distances, "cosine").tolist() == [0.75, -3.0]
    assert scalars.scores(distances, "dot").tolist() == [0.75, -3.0]
    assert scalars.scores(distances, "euclidean").tolist() == [-0.5, -2.0]
