"""int8 codes: sentence-transformers' bytes, and what comes back."""

import numpy as np
import pytest

from mlx_metaembed.codes import int8
from mlx_metaembed.codes.int8 import Ranges
from mlx_metaembed.errors import CallError


def vectors(count=200, width=24, seed=0):
    found = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_the_bytes_are_those_of_the_formula():
    ranges = Ranges(np.array([0.0, -1.0], np.float32), np.array([255.0, 254.0], np.float32))
    codes = int8.quantize(np.array([[0.0, -1.0], [1.9, 126.0], [254.9, 254.0]]), ranges)
    assert codes.dtype == np.int8
    assert codes.tolist() == [[0 - 128, 0 - 128], [1 - 128, 127 - 128], [254 - 128, 255 - 128]]


def test_the_bytes_are_those_of_sentence_transformers():
    # The body of sentence_transformers.util.quantization.quantize_embeddings (6.2), precision "int8".
    sample, found = vectors(), vectors(50, seed=1)
    starts, ends = np.min(sample, axis=0), np.max(sample, axis=0)
    expected = (np.clip(np.floor((found - starts) / ((ends - starts) / 255)), 0, 255) - 128).astype(np.int8)
    assert np.array_equal(int8.quantize(found, Ranges.of(sample)), expected)


def test_a_value_outside_the_ranges_takes_their_end():
    ranges = Ranges(np.array([0.0], np.float32), np.array([1.0], np.float32))
    assert int8.quantize(np.array([[-9.0], [9.0]]), ranges).tolist() == [[-128], [127]]


def test_a_dimension_that_never_varies_comes_back_as_it_was():
    found = np.array([[0.25, 1.0], [0.25, 2.0]], np.float32)
    ranges = Ranges.of(found)
    assert int8.dequantize(int8.quantize(found, ranges), ranges)[:, 0].tolist() == [0.25, 0.25]


def test_dequantize_is_off_by_half_a_step_at_most():
    found = vectors()
    ranges = Ranges.of(found)
    error = np.abs(int8.dequantize(int8.quantize(found, ranges), ranges) - found)
    assert np.all(error <= ranges.steps * 0.501)
    # The middle of a step, not its lower end: the error has no bias.
    assert abs(np.mean(int8.dequantize(int8.quantize(found, ranges), ranges) - found)) < ranges.steps.mean() * 0.05


def test_quantizing_what_was_restored_changes_nothing():
    found = vectors()
    ranges = Ranges.of(found)
    codes = int8.quantize(found, ranges)
    assert np.array_equal(int8.quantize(int8.dequantize(codes, ranges), ranges), codes)


def test_one_vector_gives_no_ranges():
    with pytest.raises(CallError, match="at least 2 vectors"):
        Ranges.of(np.ones((1, 3)))


def test_ranges_of_nan_are_refused():
    with pytest.raises(CallError, match="NaN or infinity"):
        Ranges.of(np.array([[1.0], [np.nan]]))


def test_bytes():
    assert int8.bytes_per_vector(384) == 384
