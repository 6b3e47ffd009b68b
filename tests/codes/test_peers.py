"""Bytes of int8, uint8 and binary are those of sentence-transformers."""

import numpy as np
from coded_vectors import clustered

from mlx_metaembed.codes import kinds


def test_bytes_are_those_of_sentence_transformers(sentence_transformers: str):
    from sentence_transformers.util import quantize_embeddings

    vectors = clustered(300, 40)
    for kind in ("int8", "uint8"):
        codec = kinds.fit(kind, vectors, 40)
        theirs = quantize_embeddings(vectors, precision=kind, calibration_embeddings=vectors)
        assert np.array_equal(codec.encode(vectors), theirs.view(np.uint8))
    codes = kinds.fit("binary", vectors, 5).encode(vectors)
    assert np.array_equal(codes, quantize_embeddings(vectors, precision="ubinary"))


def test_int8_bytes_are_floored_steps_between_the_ends():
    """The ends -1 and 1.04 lie 255 steps of .008 apart; 0 is step 125, less 128."""
    vectors = np.array([[-1.0], [1.04], [0.0]], np.float32)
    codec = kinds.KINDS["int8"].fit(vectors, 1)
    assert codec.encode(vectors).view(np.int8)[:2].tolist() == [[-128], [127]]
    assert codec.encode(vectors).view(np.int8)[2, 0] in (-3, -4)
    assert kinds.KINDS["uint8"].fit(vectors, 1).encode(vectors)[:2].tolist() == [[0], [255]]
