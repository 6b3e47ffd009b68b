"""Numbers of GGUF's quantized types as float32, block by block, as llama.cpp's `dequantize_row_*` give them.

A block has its scales and the small integers of one piece of a row. Shapes: [N, bytes of a block] in, [N, numbers of a
block] out. Layouts: ggml-common.h.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Kind(NamedTuple):
    """A type of tensors: its name, the numbers and the bytes of one block, and what its blocks say."""

    name: str
    numbers: int
    bytes: int
    values: Callable[[np.ndarray], np.ndarray]


def _f32(blocks: np.ndarray) -> np.ndarray:
    return blocks.view("<f4")


def _f16(blocks: np.ndarray) -> np.ndarray:
    return blocks.view("<f2").astype(np.float32)


def _bf16(blocks: np.ndarray) -> np.ndarray:
    return (blocks.view("<u2").astype(np.uint32) << 16).view(np.float32)


def _half(blocks: np.ndarray, at: int) -> np.ndarray:
    """The float16 at a byte of every block, [N, 1]."""
    return np.ascontiguousarray(blocks[:, at : at + 2]).view("<f2").astype(np.float32)


def _nibbles(packed: np.ndarray) -> np.ndarray:
    """The low halves of all bytes, then the high ones."""
    return np.concatenate([packed & 15, packed >> 4], axis=-1)


def _q4_0(blocks: np.ndarray) -> np.ndarray:
    return _half(blocks, 0) * (_nibbles(blocks[:, 2:]).astype(np.float32) - 8)


def _q4_1(blocks: np.ndarray) -> np.ndarray:
    return _half(blocks, 0) * _nibbles(blocks[:, 4:]).astype(np.float32) + _half(blocks, 2)


def _q8_0(blocks: np.ndarray) -> np.ndarray:
    return _half(blocks, 0) * blocks[:, 2:].view(np.int8).astype(np.float32)


def _q4_k(blocks: np.ndarray) -> np.ndarray:
    """Eight pieces of 32 numbers, each with a scale and a minimum of six bits."""
    packed = blocks[:, 4:16].reshape(-1, 3, 4)
    first, second, high = packed[:, 0], packed[:, 1], packed[:, 2]
    scale = np.concatenate([first & 63, (high & 15) | ((first >> 2) & 48)], axis=-1).astype(np.float32)
    least = np.concatenate([second & 63, (high >> 4) | ((second >> 2) & 48)], axis=-1).astype(np.float32)
    codes = _nibbles(blocks[:, 16:].reshape(-1, 4, 32)).reshape(-1, 8, 32).astype(np.float32)
    scale, least = _half(blocks, 0) * scale, _half(blocks, 2) * least
    return (scale[:, :, None] * codes - least[:, :, None]).reshape(-1, 256)


def _q6_k(blocks: np.ndarray) -> np.ndarray:
    """Sixteen pieces of 16 numbers, each with a scale of eight bits; codes of four low and two high bits."""
    low = _nibbles(blocks[:, :128].reshape(-1, 2, 64)).reshape(-1, 8, 32)
    shift = np.array([0, 2, 4, 6], np.uint8)[:, None]
    high = ((blocks[:, 128:192].reshape(-1, 2, 1, 32) >> shift) & 3).reshape(-1, 8, 32)
    codes = (low | (high << 4)).astype(np.int8) - np.int8(32)
    scale = _half(blocks, 208) * blocks[:, 192:208].view(np.int8).astype(np.float32)
    return (scale[:, :, None] * codes.reshape(-1, 16, 16).astype(np.float32)).reshape(-1, 256)


KINDS = {
    0: Kind("F32", 1, 4, _f32),
    1: Kind("F16", 1, 2, _f16),
    2: Kind("Q4_0", 32, 18, _q4_0),
    3: Kind("Q4_1", 32, 20, _q4_1),
    8: Kind("Q8_0", 32, 34, _q8_0),
    12: Kind("Q4_K", 256, 144, _q4_k),
    14: Kind("Q6_K", 256, 210, _q6_k),
    30: Kind("BF16", 1, 2, _bf16),
}
"""The types that are read, by the format's numbers."""
OTHERS = {6: "Q5_0", 7: "Q5_1", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 13: "Q5_K", 15: "Q8_K", 16: "IQ2_XXS"}
OTHERS |= {17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS"}
OTHERS |= {24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4"}
OTHERS |= {40: "NVFP4", 41: "Q1_0"}
"""The names of those that are not."""
