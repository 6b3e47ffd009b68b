"""Digits of b bits as b rows of bits, the highest first: eight digits are b bytes, whatever b is."""

import numpy as np


def pack(digits: np.ndarray, bits: int) -> np.ndarray:
    """Digits [n, K] below 2^bits as uint8 [n, bits * ceil(K / 8)]."""
    return np.concatenate([np.packbits((digits >> place) & 1, axis=1) for place in range(bits - 1, -1, -1)], axis=1)


def unpack(codes: np.ndarray, bits: int, count: int) -> np.ndarray:
    """uint8 [n, bits * ceil(K / 8)] as the digits uint8 [n, K]."""
    width, digits = -(-count // 8), np.zeros((len(codes), count), np.uint8)
    for plane in range(bits):
        part = np.ascontiguousarray(codes[:, plane * width : (plane + 1) * width])
        digits = (digits << 1) | np.unpackbits(part, axis=1, count=count)
    return digits
