"""Sets of rows that are joined one with another (union-find)."""

import numpy as np


class Joined:
    """Rows 0, 1, ..., each alone at first; a row leads to an earlier one of its set."""

    def __init__(self, rows: int = 0) -> None:
        self._up = list(range(rows))

    def __len__(self) -> int:
        return len(self._up)

    def add(self) -> int:
        """The number of a further row."""
        self._up.append(len(self._up))
        return len(self._up) - 1

    def first(self, row: int) -> int:
        """The first row of a row's set."""
        up = self._up
        while up[row] != row:
            up[row] = up[up[row]]
            row = up[row]
        return row

    def join(self, one: int, other: int) -> None:
        """Make one set of the sets of two rows."""
        one, other = self.first(one), self.first(other)
        self._up[max(one, other)] = min(one, other)

    def numbers(self) -> tuple[np.ndarray, np.ndarray]:
        """The number of each row's set, int64, from 0 in the order of their first rows, and the sets' sizes."""
        firsts = np.array([self.first(row) for row in range(len(self._up))], np.int64)
        _, numbers, sizes = np.unique(firsts, return_inverse=True, return_counts=True)
        return numbers, sizes
