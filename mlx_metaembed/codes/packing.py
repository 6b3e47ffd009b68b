"""Digits of a code as bytes: digit i lies in 0..levels[i]-1, and no digit takes a whole byte for itself.

Digits are gathered into words below 2^63 by mixed radix, and the words' bits stand one after another, lowest first.
Where the levels are powers of two this is plain bit packing, log2(l) bits a digit; five levels cost 2.33 bits, not 3.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.errors import CallError

WORD = 2**63
BLOCK = 16_384
"""Rows at a time: one byte stands for one bit while a block is packed."""


@dataclass(frozen=True)
class Word:
    """Digits start..stop-1 as one number below `size`, in `bits` bits."""

    start: int
    stop: int
    size: int

    @property
    def bits(self) -> int:
        return (self.size - 1).bit_length()


def words(levels: Sequence[int]) -> list[Word]:
    """How digits are gathered: as many in a row as stay below 2^63. Raises CallError for levels outside 1..2^31."""
    wrong = [level for level in levels if not 1 <= level <= 2**31]
    if wrong or not len(levels):
        raise CallError(f"Levels {list(levels)[:8]}: expected one whole number between 1 and 2^31 for each digit")
    gathered, start, size = [], 0, 1
    for at, level in enumerate(levels):
        if size * int(level) > WORD:
            gathered.append(Word(start, at, size))
            start, size = at, 1
        size *= int(level)
    return [*gathered, Word(start, len(levels), size)]


def bytes_per_vector(levels: Sequence[int]) -> int:
    """Bytes that one packed code takes."""
    return -(-sum(word.bits for word in words(levels)) // 8)


def pack(digits: np.ndarray, levels: Sequence[int]) -> np.ndarray:
    """Digits [n, k] as uint8 [n, bytes_per_vector(levels)]. Raises CallError where a digit is outside its levels."""
    digits = np.asarray(digits)
    _check_digits(digits, levels)
    layout = words(levels)
    packed = np.empty((len(digits), bytes_per_vector(levels)), np.uint8)
    for rows in _blocks(len(digits)):
        columns = [_bits(digits[rows, word.start : word.stop], levels[word.start : word.stop], word) for word in layout]
        packed[rows] = np.packbits(np.concatenate(columns, axis=1), axis=1, bitorder="little")
    return packed


def unpack(packed: np.ndarray, levels: Sequence[int]) -> np.ndarray:
    """uint8 [n, bytes] as digits int64 [n, k]. Raises CallError where the bytes are no code of these levels."""
    packed = np.asarray(packed)
    layout, width = words(levels), bytes_per_vector(levels)
    if packed.dtype != np.uint8 or packed.ndim != 2 or packed.shape[1] != width:
        raise CallError(f"Codes of these levels are uint8 [n, {width}]; found {packed.dtype} {list(packed.shape)}")
    digits = np.empty((len(packed), len(levels)), np.int64)
    for rows in _blocks(len(packed)):
        bits = np.unpackbits(packed[rows], axis=1, bitorder="little")
        start = 0
        for word in layout:
            places = np.left_shift(np.uint64(1), np.arange(word.bits, dtype=np.uint64))
            values = bits[:, start : start + word.bits].astype(np.uint64) @ places
            if np.any(values >= np.uint64(word.size)):
                raise CallError("The bytes are no codes of these levels: a number lies past its largest; wrong levels?")
            for at in range(word.start, word.stop):
                values, digits[rows, at] = np.divmod(values, np.uint64(levels[at]))
            start += word.bits
        if bits[:, start:].any():
            raise CallError("The bytes are no codes of these levels: bits are set past their end; wrong levels?")
    return digits


def _bits(digits: np.ndarray, levels: Sequence[int], word: Word) -> np.ndarray:
    """One word of a block as its bits, uint8 [rows, word.bits]."""
    values, place = np.zeros(len(digits), np.uint64), 1
    for at, level in enumerate(levels):
        values += digits[:, at].astype(np.uint64) * np.uint64(place)
        place *= int(level)
    return ((values[:, None] >> np.arange(word.bits, dtype=np.uint64)) & np.uint64(1)).astype(np.uint8)


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, count, BLOCK))


def _check_digits(digits: np.ndarray, levels: Sequence[int]) -> None:
    if digits.ndim != 2 or digits.shape[1] != len(levels) or not np.issubdtype(digits.dtype, np.integer):
        raise CallError(
            f"Expected whole-number digits [n, {len(levels)}], one a level; found {digits.dtype} {list(digits.shape)}"
        )
    if len(digits):
        outside = np.flatnonzero((digits.min(axis=0) < 0) | (digits.max(axis=0) >= np.asarray(levels)))
        if len(outside):
            at = int(outside[0])
            found = f"{digits[:, at].min()} to {digits[:, at].max()}"
            raise CallError(f"Digit {at} runs from {found}; with {levels[at]} levels it lies in 0..{levels[at] - 1}")
