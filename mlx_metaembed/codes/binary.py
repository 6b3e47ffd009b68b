"""One bit a dimension, its sign: `np.packbits(e > 0)`, byte for byte what sentence-transformers calls `ubinary`.

A float query against signs (asymmetric) finds more of the true neighbours than signs against signs (symmetric), at
the same stored bytes; both score as cosines, so larger is nearer.
"""

import numpy as np


def pack(vectors: np.ndarray) -> np.ndarray:
    """[n, D] as uint8 [n, ceil(D / 8)], the first dimension in the highest bit."""
    return np.packbits(np.asarray(vectors) > 0, axis=-1)


def signs(packed: np.ndarray, dimensions: int) -> np.ndarray:
    """uint8 [n, ceil(D / 8)] as float32 [n, D] of -1 and 1."""
    bits = np.unpackbits(packed, axis=-1, count=dimensions)
    return bits.astype(np.float32) * 2 - 1


def distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Hamming distances int64 [a, b] between uint8 [a, bytes] and [b, bytes]: how many bits differ.

    Bytes are compared one column at a time, so memory stays at a few arrays of [a, b].
    """
    differing = np.zeros((len(left), len(right)), np.int64)
    for column in range(left.shape[1]):
        differing += np.bitwise_count(left[:, None, column] ^ right[None, :, column])
    return differing


def symmetric(left: np.ndarray, right: np.ndarray, dimensions: int) -> np.ndarray:
    """Cosines float32 [a, b] of the sign vectors: `1 - 2 * distance / D`."""
    return (1 - 2 * distances(left, right) / dimensions).astype(np.float32)


def asymmetric(queries: np.ndarray, packed: np.ndarray) -> np.ndarray:
    """Scores float32 [q, n] of float queries [q, D] against packed signs: `q . sign / sqrt(D)`."""
    dimensions = queries.shape[1]
    return np.asarray(queries, np.float32) @ signs(packed, dimensions).T / np.float32(np.sqrt(dimensions))


def bytes_per_vector(dimensions: int) -> int:
    return -(-dimensions // 8)
