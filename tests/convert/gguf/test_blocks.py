"""Numbers of quantized blocks: by hand, and as the reference reader has them."""

import struct

import numpy as np
import pytest

from mlx_metaembed.convert.gguf.blocks import KINDS, OTHERS

BY_NAME = {kind.name: kind for kind in KINDS.values()}


def values(name: str, block: bytes) -> list[float]:
    return BY_NAME[name].values(np.frombuffer(block, np.uint8)[None])[0].tolist()


def half(number: float) -> bytes:
    return struct.pack("<e", number)


def test_plain_numbers():
    assert values("F32", struct.pack("<f", 1.5)) == [1.5]
    assert values("F16", half(-0.25)) == [-0.25]
    assert values("BF16", b"\xc0\x3f") == [1.5]


def test_eight_bits():
    found = values("Q8_0", half(0.5) + bytes([1, 255, 128]) + bytes(29))
    assert found[:4] == [0.5 * 1, 0.5 * -1, 0.5 * -128, 0]


def test_four_bits_around_eight():
    found = values("Q4_0", half(2) + bytes([0xF0, 0x19]) + bytes(14))
    # The low halves are the first sixteen numbers.
    assert found[:3] == [2 * (0 - 8), 2 * (9 - 8), 2 * (0 - 8)]
    assert found[16:19] == [2 * (15 - 8), 2 * (1 - 8), 2 * (0 - 8)]


def test_four_bits_above_a_least():
    found = values("Q4_1", half(2) + half(-3) + bytes([0xF0, 0x19]) + bytes(14))
    assert found[:2] == [2 * 0 - 3, 2 * 9 - 3]
    assert found[16:18] == [2 * 15 - 3, 2 * 1 - 3]


def test_four_bits_in_eight_pieces():
    # Scales 1 .. 4 and leasts 5 .. 8 in six bits; those of the last four pieces have their high bits in the first.
    scales = bytes([1 | 64, 2, 3, 4]) + bytes([5 | 128, 6, 7, 8]) + bytes([0x21, 0, 0, 0])
    found = values("Q4_K", half(0.5) + half(0.25) + scales + bytes([0x73]) + bytes(127))
    assert found[0] == 0.5 * 1 * 3 - 0.25 * 5
    assert found[32] == 0.5 * 2 * 7 - 0.25 * 6
    assert found[33] == 0.5 * 2 * 0 - 0.25 * 6
    assert found[128] == 0.5 * (1 + 16) * 0 - 0.25 * (2 + 32)


def test_six_bits_in_sixteen_pieces():
    low, high, scales = bytes([0x9F]) + bytes(127), bytes([0b01_00_00_11]) + bytes(63), bytes([3, *[1] * 15])
    found = values("Q6_K", low + high + scales + half(0.5))
    assert found[0] == 0.5 * 3 * (15 + 3 * 16 - 32)
    assert found[64] == 0.5 * 1 * (9 + 0 * 16 - 32)
    assert found[96] == 0.5 * 1 * (0 + 1 * 16 - 32)
    assert found[1] == 0.5 * 3 * -32


@pytest.mark.parametrize("number", KINDS)
def test_any_bytes_are_what_the_reference_reader_makes_of_them(number: int):
    gguf = pytest.importorskip("gguf")
    kind = KINDS[number]
    blocks = np.random.default_rng(number).integers(0, 256, (64, kind.bytes), np.uint8)
    with np.errstate(all="ignore"):
        expected = gguf.dequantize(blocks, gguf.GGMLQuantizationType(number))
        found = kind.values(blocks)
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)
    assert gguf.GGML_QUANT_SIZES[number] == (kind.numbers, kind.bytes)


def test_every_type_of_the_reference_reader_has_a_name():
    gguf = pytest.importorskip("gguf")
    known = {number: kind.name for number, kind in KINDS.items()} | OTHERS
    assert {each.value: each.name for each in gguf.GGMLQuantizationType}.items() <= known.items()
