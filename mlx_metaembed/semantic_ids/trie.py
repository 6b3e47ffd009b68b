"""The IDs that are used, as a tree: which digits may follow a prefix, for constrained decoding, and which IDs share it.

Sorted IDs are the tree: what begins alike stands together. m distinct IDs of d digits.
"""

from collections.abc import Sequence

import numpy as np


class Trie:
    """The distinct IDs [m, d] in order, and how many texts have each."""

    def __init__(self, ids: np.ndarray):
        self.ids, self.counts = np.unique(np.asarray(ids, np.uint16), axis=0, return_counts=True)

    def range(self, prefix: Sequence[int]) -> tuple[int, int]:
        """The first and one past the last of the distinct IDs that begin so."""
        first, last = 0, len(self.ids)
        for depth, digit in enumerate(prefix):
            column = self.ids[first:last, depth]
            first, last = (first + int(np.searchsorted(column, digit, side)) for side in ("left", "right"))
        return first, last

    def following(self, prefix: Sequence[int]) -> np.ndarray:
        """The digits that follow a prefix in some ID, in order; none behind a whole ID or one that nothing has."""
        first, last = self.range(prefix)
        return np.unique(self.ids[first:last, len(prefix)]) if len(prefix) < self.ids.shape[1] else np.zeros(0, int)

    def texts(self, prefix: Sequence[int]) -> int:
        """How many texts have an ID that begins so."""
        first, last = self.range(prefix)
        return int(self.counts[first:last].sum())
