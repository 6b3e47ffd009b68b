"""Digits as bytes and back, at any levels and any length."""

import numpy as np
import pytest

from mlx_metaembed.codes import packing
from mlx_metaembed.errors import CallError

LEVELS = [
    [2],
    [256],
    [4] * 60,
    [8] * 40,
    [2] * 120,
    [8, 8, 8, 5],
    [5] * 12,
    [3] * 100,
    [7, 1, 300, 2, 65536, 11] * 5,
    [1, 1],
    [2**31] * 5,
    [1000] * 33,
]


@pytest.mark.parametrize("levels", LEVELS, ids=str)
def test_digits_come_back(levels):
    random = np.random.default_rng(len(levels))
    digits = random.integers(0, levels, size=(50, len(levels)))
    extremes = np.array([[0] * len(levels), [level - 1 for level in levels]])
    digits = np.concatenate([digits, extremes])
    packed = packing.pack(digits, levels)
    assert packed.dtype == np.uint8
    assert packed.shape == (52, packing.bytes_per_vector(levels))
    assert np.array_equal(packing.unpack(packed, levels), digits)


def test_more_rows_than_one_block():
    count = packing.BLOCK + 3
    digits = np.random.default_rng(0).integers(0, [5, 3], size=(count, 2))
    assert np.array_equal(packing.unpack(packing.pack(digits, [5, 3]), [5, 3]), digits)


def test_powers_of_two_are_plain_bits_lowest_first():
    assert packing.pack(np.array([[1, 2, 3, 0]]), [4, 4, 4, 4]).tolist() == [[1 | 2 << 2 | 3 << 4 | 0 << 6]]
    assert packing.pack(np.array([[1, 5, 1]]), [2, 8, 256]).tolist() == [[1 | 5 << 1 | (1 << 4) % 256, 1 << 4 >> 8]]


@pytest.mark.parametrize(
    ("levels", "size"),
    [
        ([4] * 60, 15),
        ([8] * 40, 15),
        ([2] * 120, 15),
        ([256] * 32, 32),
        # 8 * 8 * 8 * 5 = 2,560 states in 12 bits; 5^12 in 28 bits, where 3 bits a digit would take 36.
        ([8, 8, 8, 5], 2),
        ([5] * 12, 4),
        ([1, 1], 0),
    ],
    ids=str,
)
def test_bytes(levels, size):
    assert packing.bytes_per_vector(levels) == size


@pytest.mark.parametrize("levels", LEVELS, ids=str)
def test_bytes_never_exceed_a_whole_number_of_bits_a_digit(levels):
    assert packing.bytes_per_vector(levels) <= -(-sum((level - 1).bit_length() for level in levels) // 8)


def test_different_codes_have_different_bytes():
    every = np.stack(np.meshgrid(*map(np.arange, (8, 5, 3)), indexing="ij"), axis=-1).reshape(-1, 3)
    assert len(np.unique(packing.pack(every, [8, 5, 3]), axis=0)) == 8 * 5 * 3


def test_no_rows():
    assert packing.pack(np.empty((0, 2), np.int64), [4, 4]).shape == (0, 1)
    assert packing.unpack(np.empty((0, 1), np.uint8), [4, 4]).shape == (0, 2)


def test_a_digit_outside_its_levels_is_named():
    with pytest.raises(CallError, match=r"Digit 1 runs from 0 to 5; with 5 levels it lies in 0\.\.4"):
        packing.pack(np.array([[0, 0], [3, 5]]), [4, 5])
    with pytest.raises(CallError, match="Digit 0 runs from -1"):
        packing.pack(np.array([[-1]]), [4])


@pytest.mark.parametrize("digits", [np.zeros((2, 3), np.int64), np.zeros(2, np.int64), np.zeros((2, 2))], ids=str)
def test_digits_of_another_shape_are_refused(digits):
    with pytest.raises(CallError, match=r"whole-number digits \[n, 2\]"):
        packing.pack(digits, [4, 4])


def test_bytes_of_another_code_are_refused():
    with pytest.raises(CallError, match=r"uint8 \[n, 2\]; found uint8 \[1, 3\]"):
        packing.unpack(np.zeros((1, 3), np.uint8), [256, 256])
    with pytest.raises(CallError, match="past its largest"):
        packing.unpack(np.array([[255]], np.uint8), [200])
    with pytest.raises(CallError, match="past their end"):
        packing.unpack(np.array([[0b1000_0000]], np.uint8), [4, 4])


@pytest.mark.parametrize("levels", [[], [0], [4, -1], [2**31 + 1]], ids=str)
def test_levels_that_are_none_are_refused(levels):
    with pytest.raises(CallError, match="expected one whole number between 1 and"):
        packing.bytes_per_vector(levels)
