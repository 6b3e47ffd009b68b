"""What one row of the table compares: the queries' vectors, the stored vectors, and the bytes that a stored one takes.

Every code comes down to two float arrays whose scores are those of the code, so one text of each measure serves all.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.codes import binary, int8
from mlx_metaembed.codes.codec import Codec
from mlx_metaembed.codes.prefix import cut, unit
from mlx_metaembed.errors import CallError, nearest

CODES = {
    "int8": "a byte a dimension, ranges from the stored vectors, scored after de-quantisation",
    "binary": "a bit a dimension, a float query against signs",
    "binary-hamming": "a bit a dimension, signs against signs",
}


@dataclass(frozen=True)
class Coded:
    """Queries [Q, D] and stored vectors [N, D], float32, compared by `similarity`."""

    name: str
    dimensions: int
    bytes_per_vector: int
    queries: np.ndarray
    stored: np.ndarray
    similarity: str


def at_width(
    queries: np.ndarray, stored: np.ndarray, width: int, *, similarity: str = "cosine", renormalize: bool = True
) -> Coded:
    """Float vectors cut to a width, 4 bytes a dimension, named by the width."""
    left, right = cut(queries, width, renormalize=renormalize), cut(stored, width, renormalize=renormalize)
    return Coded(str(width), width, 4 * width, left, right, similarity)


def as_code(name: str, plain: Coded) -> Coded:
    """`int8`, `binary` or `binary-hamming` of float vectors, named `code@width`. Raises CallError for another name."""
    check_codes([name])
    width, label = plain.dimensions, f"{name}@{plain.dimensions}"
    if name == "int8":
        ranges = int8.Ranges.of(plain.stored)
        stored = int8.dequantize(int8.quantize(plain.stored, ranges), ranges)
        return Coded(label, width, int8.bytes_per_vector(width), plain.queries, stored, plain.similarity)
    stored = binary.signs(binary.pack(plain.stored), width)
    queries = plain.queries if name == "binary" else binary.signs(binary.pack(plain.queries), width)
    # Signs have one length, so the dot product orders as the cosine does, and whole numbers keep their ties.
    return Coded(label, width, binary.bytes_per_vector(width), queries, stored, "dot")


def of_head(name: str, queries: np.ndarray, stored: np.ndarray, bytes_per_vector: int) -> Coded:
    """The quantized vectors [Q, k], [N, k] of a code head, compared by cosine."""
    return Coded(name, stored.shape[1], bytes_per_vector, unit(queries), unit(stored), "dot")


def of_codec(name: str, plain: Coded, codec: Codec) -> Coded:
    """What a fitted code makes of float vectors at full width; the score of a float query is the product."""
    decoded = codec.decode(codec.encode(plain.stored))
    similarity = "dot" if plain.similarity == "cosine" else plain.similarity
    return Coded(name, plain.dimensions, codec.bytes_per_vector, plain.queries, decoded, similarity)


def check_codes(names: Iterable[str], others: Iterable[str] = ()) -> None:
    """Raise CallError for a name that is neither a code nor one of the model's code heads and fitted codes."""
    known = [*CODES, *others]
    for name in names:
        if name not in known:
            raise CallError(
                f"There is no code {name!r}{nearest(name, known) or '.'} This model knows: {', '.join(known)}"
            )
