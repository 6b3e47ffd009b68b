"""Vectors as the bytes that sentence-transformers' `quantize_embeddings` gives, by its names of precisions."""

import numpy as np

from mlx_metaembed.codes import binary, int8
from mlx_metaembed.errors import CallError, nearest

PRECISIONS = ("float32", "int8", "uint8", "binary", "ubinary")


def require(name: str | None) -> None:
    """Raise CallError for a word that is no precision."""
    if name is not None and name not in PRECISIONS:
        close = nearest(str(name), PRECISIONS) or ";"
        raise CallError(f"precision = {name!r:.60} is not known{close} one of {', '.join(PRECISIONS)}")


def as_precision(vectors: np.ndarray, name: str | None) -> np.ndarray:
    """float32 [n, D] as it is (None too), int8 or uint8 [n, D], or bits: binary int8, ubinary uint8 [n, ceil(D / 8)].

    The ranges of int8 and uint8 are those of the vectors themselves. Raises CallError where these are fewer than two.
    """
    require(name)
    if name in (None, "float32"):
        return vectors
    if name in ("binary", "ubinary"):
        packed = binary.pack(vectors)
        return packed if name == "ubinary" else _other_sign(packed, np.int8)
    if not len(vectors):
        return np.zeros(vectors.shape, name)
    if len(vectors) == 1:
        raise CallError(
            f"precision = {name!r} takes each dimension's range from the vectors, and there is one vector only; "
            "encode several together, or keep the ranges of others: mlx_metaembed.codes.int8.Ranges"
        )
    codes = int8.quantize(vectors, int8.Ranges.of(vectors))
    return codes if name == "int8" else _other_sign(codes, np.uint8)


def _other_sign(bytes_: np.ndarray, dtype: type) -> np.ndarray:
    """Bytes with 128 added, or taken off, which is the same."""
    return (bytes_.view(np.uint8) ^ 0x80).view(dtype)
