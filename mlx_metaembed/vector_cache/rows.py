"""A vector as a row of a store: 8 bytes of checksum, then float32, the least byte first."""

import hashlib

import numpy as np

CHECKSUM = 8


def packed(vector: np.ndarray) -> bytes:
    """The row of a vector [D]: 8 + 4 D bytes."""
    data = np.ascontiguousarray(vector, "<f4").tobytes()
    return _checksum(data) + data


def unpacked(row: object, width: int) -> np.ndarray | None:
    """The vector float32 [width] of a row; None where the row is not one, or not as it was written."""
    if not isinstance(row, bytes) or len(row) != CHECKSUM + 4 * width:
        return None
    data = row[CHECKSUM:]
    return np.frombuffer(data, "<f4").astype(np.float32) if row[:CHECKSUM] == _checksum(data) else None


def _checksum(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=CHECKSUM).digest()
