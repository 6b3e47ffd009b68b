"""Scores by look-up tables: what each value of each byte of a code adds for a query, summed over the bytes."""

import numpy as np

AT_ONCE = 32
"""Queries from which on it is quicker to restore a block of vectors and take one product."""


def summed(tables: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Scores float32 [Q, N] from tables [Q, M, values] and codes [N, M]: `sum over m of tables[q, m, codes[n, m]]`."""
    found = np.zeros((len(tables), len(codes)), np.float32)
    columns = np.ascontiguousarray(codes.T)
    for at, column in enumerate(columns):
        found += np.take(tables[:, at], column, axis=1)
    return found


def of_bits(queries: np.ndarray) -> np.ndarray:
    """Tables float32 [Q, ceil(D / 8), 256] for packed signs: the sum of a query's components whose bits are set.

    The first dimension is the highest bit, as `numpy.packbits` has it.
    """
    width = -(-queries.shape[1] // 8) * 8
    padded = np.zeros((len(queries), width), np.float32)
    padded[:, : queries.shape[1]] = queries
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32)
    return padded.reshape(len(queries), -1, 8) @ bits.T
