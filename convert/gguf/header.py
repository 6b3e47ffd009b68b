"""The bytes before a GGUF file's tensors, read one value after another, none of them past a bound.

Counts and lengths come from the file, so that each is held against what the file has left before anything is read.
"""

import struct
from typing import BinaryIO

import numpy as np

MOST_BYTES = 2**27
"""The header of the largest vocabulary that is known, 262,144 words, has 10 MB."""
MOST_STRINGS = 2**21
"""Words, merges and names together; as objects each takes some sixty bytes and its own."""
CHUNK = 2**16
STRING, ARRAY, BOOL = 8, 9, 7
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}
"""The format's numbers for types of values, and struct's letters for them."""
Value = bool | int | float | str | list[str] | np.ndarray


class Header:
    """The next values of an open file, from its beginning. Raises ValueError where one can't be there."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size
        self._held, self._at, self._first = b"", 0, 0
        self._strings = 0

    @property
    def position(self) -> int:
        """The byte of the file that comes next."""
        return self._first + self._at

    def number(self, letter: str) -> int | float:
        """One number, by struct's letter for it."""
        return struct.unpack("<" + letter, self._take(struct.calcsize(letter)))[0]

    def text(self) -> str:
        """One string, its length before it."""
        self._strings += 1
        if self._strings > MOST_STRINGS:
            raise ValueError(f"it has more than {MOST_STRINGS:,} strings")
        where = self.position
        data = self._take(self._count(1, "a string"))
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"its string at byte {where:,} is not UTF-8 (byte {where + 8 + error.start:,})") from None

    def value(self) -> Value:
        """One value of metadata, its type before it; an array of numbers comes as NumPy's."""
        kind = self.number("I")
        if kind == STRING:
            return self.text()
        if kind == ARRAY:
            return self._array()
        if kind not in SCALARS:
            raise ValueError(f"its value at byte {self.position - 4:,} has the unknown type {kind}")
        found = self.number(SCALARS[kind])
        return bool(found) if kind == BOOL else found

    def _array(self) -> list[str] | np.ndarray:
        where, kind = self.position, self.number("I")
        if kind == STRING:
            # A string has at least the eight bytes of its length.
            return [self.text() for _ in range(self._count(8, "an array of strings"))]
        if kind not in SCALARS:
            raise ValueError(f"its array at byte {where:,} has values of the type {kind}; expected numbers or strings")
        item = np.dtype("?" if kind == BOOL else "<" + SCALARS[kind])
        data = self._take(self._count(item.itemsize, "an array") * item.itemsize)
        if kind == BOOL:
            return np.frombuffer(data, np.uint8) != 0
        return np.frombuffer(data, item)

    def _count(self, item_bytes: int, what: str) -> int:
        """How many items follow, each of at least so many bytes."""
        where, count, unit = self.position, self.number("Q"), "items" if item_bytes > 1 else "bytes"
        left = min(self._size, MOST_BYTES) - self.position
        if count * item_bytes > left:
            raise ValueError(
                f"{what} at byte {where:,} says that it has {count:,} {unit}, but only {max(left, 0):,} bytes "
                f"{'follow' if self._size <= MOST_BYTES else 'of a header may follow'}"
            )
        return count

    def _take(self, count: int) -> bytes:
        start = self._at
        if start + count > len(self._held):
            self._fill(count)
            start = 0
        self._at = start + count
        return self._held[start : self._at]

    def _fill(self, count: int) -> None:
        """Hold at least `count` bytes from the position on."""
        if self.position + count > min(self._size, MOST_BYTES):
            if self._size > MOST_BYTES:
                raise ValueError(f"its header goes on after {MOST_BYTES:,} bytes")
            raise ValueError(f"it ends at byte {self._size:,}, in the middle of its header")
        self._first, left = self.position, self._held[self._at :]
        self._at = 0
        self._held = left + self._file.read(max(CHUNK, count) - len(left))
        if len(self._held) < count:
            raise ValueError(f"it ends at byte {self._first + len(self._held):,}, in the middle of its header")
