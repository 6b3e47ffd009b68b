"""Rows of an array by number: a teacher's vectors of a data set's texts, whatever their order in the teacher's file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

ROWS_AT_ONCE = 1 << 12
"""Rows whose bytes are taken together for a key."""


@dataclass(frozen=True)
class Picked:
    """The rows `rows` int64 [R], or [R, N] with -1 for none, of `array` [n, D]; an index reads those that it names.

    `array` may be one that is made later: its `identity` then stands for its content.
    """

    array: Any
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: np.ndarray | slice) -> np.ndarray:
        return self.array[self.rows[chosen]]

    def key_bytes(self) -> Iterator[bytes]:
        """What a key of the rows is made of."""
        if identity := getattr(self.array, "identity", None):
            yield identity.encode() + np.ascontiguousarray(self.rows).tobytes()
            return
        for first in range(0, len(self), ROWS_AT_ONCE):
            yield self[first : first + ROWS_AT_ONCE].tobytes()
