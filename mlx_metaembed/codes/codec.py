"""What a codec is: fitted on a sample, it makes bytes of vectors and vectors of bytes, and scores float queries.

N vectors, Q queries, D dimensions, B bytes a code. A score estimates the inner product of a float query and the vector
behind a code, so vectors that are compared by cosine come in at length 1. What a code of such vectors stands for has
that length too, without a byte for it: sums and centroids are shorter the less they say of a vector, which would then
be found less often.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np

from mlx_metaembed.errors import CallError
from mlx_metaembed.files.npy import Rows

BLOCK = 16_384
"""Rows at a time: floats of a block are held, not of all rows."""
LENGTH_1 = 1e-3
"""How far the length of a vector may be from 1 that counts as 1."""
Told = Callable[[float], object]
"""Hears which share of a fit is done."""


def silent(_share: float) -> None:
    """No progress."""


@dataclass(frozen=True, eq=False)
class Codec(ABC):
    """A fitted codec: its arrays and numbers are its fields, so that one text writes and reads every kind."""

    dimensions: int
    """Of the vectors that go in."""
    unit: bool = field(default=False, kw_only=True)
    """Whether these have length 1, so that what their codes stand for is given it too."""
    has_length: ClassVar[bool] = False
    """Whether a code's own scale makes its scores unbiased, which another length would undo."""
    kind: ClassVar[str]
    about: ClassVar[str]
    """What it is, in a few words."""

    @classmethod
    @abstractmethod
    def span(cls, dimensions: int) -> tuple[int, int]:
        """The fewest and the most bytes a vector that such a code can have."""

    @classmethod
    @abstractmethod
    def fit(cls, sample: np.ndarray, size: int, *, seed: int = 0, told: Told = silent, **work: Any) -> "Codec":
        """The codec of at most `size` bytes a vector that suits a sample [n, D], which is finite; see `kinds.fit`."""

    @property
    @abstractmethod
    def bytes_per_vector(self) -> int:
        """B: all that is stored of a vector, scales and norms counted."""

    def encode(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors [N, D] as codes uint8 [N, B]. Raises CallError for another width, or rows that hold NaN."""
        vectors = checked(vectors, self.dimensions)
        codes = np.empty((len(vectors), self.bytes_per_vector), np.uint8)
        for rows in blocks(len(vectors)):
            codes[rows] = self._encoded(np.asarray(vectors[rows], np.float32))
        return codes

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Codes uint8 [N, B] as vectors float32 [N, D]. Raises CallError for bytes that are no such codes."""
        codes = self._checked(codes)
        vectors = np.empty((len(codes), self.dimensions), np.float32)
        for rows in blocks(len(codes)):
            vectors[rows] = self._stands_for(codes[rows])
        return vectors

    def lengths(self, codes: np.ndarray) -> np.ndarray | None:
        """What scores of codes uint8 [N, B] are divided by, float32 [N]; None for nothing. Codes that stay need them
        once."""
        if not self.unit:
            return None
        codes, found = self._checked(codes), np.empty(len(codes), np.float32)
        for rows in blocks(len(codes)):
            found[rows] = _lengths(self._decoded(codes[rows]))
        return found

    def score(self, queries: np.ndarray, codes: np.ndarray, lengths: np.ndarray | None = None) -> np.ndarray:
        """Scores float32 [Q, N] of float queries [Q, D]: what `queries @ decode(codes).T` gives, without the vectors.

        `lengths` are those of `lengths(codes)`, where they are there. Raises CallError as `encode` and `decode` do.
        """
        queries = np.asarray(checked(queries, self.dimensions, "queries"), np.float32)
        codes = self._checked(codes)
        found = np.empty((len(queries), len(codes)), np.float32)
        if self.unit and lengths is None:
            # Their lengths take the vectors, which are then at hand for the scores.
            for rows in blocks(len(codes)):
                found[:, rows] = queries @ self._stands_for(codes[rows]).T
            return found
        asked = self._asked(queries)
        for rows in blocks(len(codes)):
            found[:, rows] = self._scored(asked, codes[rows])
        if self.unit:
            found /= lengths
        return found

    @abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array among the fields, from the others. Raises ValueError where these contradict."""

    @abstractmethod
    def _encoded(self, vectors: np.ndarray) -> np.ndarray:
        """A block of float32 vectors as codes."""

    @abstractmethod
    def _decoded(self, codes: np.ndarray) -> np.ndarray:
        """A block of codes as vectors."""

    @abstractmethod
    def _asked(self, queries: np.ndarray) -> Any:
        """What scoring needs of float32 queries, once for all blocks."""

    @abstractmethod
    def _scored(self, asked: Any, codes: np.ndarray) -> np.ndarray:
        """Scores [Q, n] of a block of codes."""

    def _stands_for(self, codes: np.ndarray) -> np.ndarray:
        """A block of codes as the vectors that they stand for, at length 1 where those that went in were."""
        vectors = self._decoded(codes)
        return vectors / _lengths(vectors)[:, None] if self.unit else vectors

    def _checked(self, codes: np.ndarray) -> np.ndarray:
        if codes.dtype != np.uint8 or codes.ndim != 2 or codes.shape[1] != self.bytes_per_vector:
            raise CallError(
                f"Codes of this kind ({self.kind}) are uint8 [N, {self.bytes_per_vector}]; found {codes.dtype} "
                f"{list(codes.shape)}"
            )
        return codes


def has_unit_length(vectors: np.ndarray) -> bool:
    """Whether all vectors [n, D] have length 1."""
    parts = (np.linalg.norm(np.asarray(vectors[rows], np.float32), axis=1) for rows in blocks(len(vectors)))
    return all(np.abs(part - 1).max(initial=0) <= LENGTH_1 for part in parts)


def _lengths(vectors: np.ndarray) -> np.ndarray:
    return np.maximum(np.linalg.norm(vectors, axis=1), np.float32(1e-12))


def numbers_and_arrays(codec: Codec) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The fields of a codec: those for JSON, and its arrays."""
    values = {each.name: getattr(codec, each.name) for each in fields(codec)}
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    return {name: value for name, value in values.items() if name not in arrays}, arrays


def checked(vectors: np.ndarray | Rows, dimensions: int | None, name: str = "vectors") -> np.ndarray | Rows:
    """Vectors [n, D] as they are. Raises CallError for another shape or width, and for rows with NaN or infinity."""
    vectors = vectors if isinstance(vectors, (np.ndarray, Rows)) else np.asarray(vectors)
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or dimensions not in (None, vectors.shape[1]):
        width = "D" if dimensions is None else dimensions
        raise CallError(f"Expected {name} [n, {width}] of floats; found {vectors.dtype} {list(vectors.shape)}")
    wrong = [rows.start + np.flatnonzero(~np.isfinite(vectors[rows]).all(axis=1)) for rows in blocks(len(vectors))]
    if count := sum(map(len, wrong)):
        shown = ", ".join(str(row) for row in np.concatenate(wrong)[:10])
        more = f" and {count - 10:,} more" if count > 10 else ""
        raise CallError(f"{count:,} of {len(vectors):,} {name} hold NaN or infinity: row {shown}{more} (from 0)")
    return vectors


def blocks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK))
