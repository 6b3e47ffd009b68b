"""Near-duplicates by MinHash (Broder 1997) over shingles of characters, found by bands of equal hashes.

A text's shingles are its runs of 5 characters, in lower case with single spaces. The Jaccard similarity of two texts
is that of their sets of shingles. At 0.8 a pair shares one of 16 bands of 4 hashes with a probability of 0.9998;
what shares one is compared exactly. S texts, 64 hashes each.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

SHINGLE, BANDS, ROWS = 5, 16, 4
MOST = 1_000
"""Candidates of one text in one band."""
_FACTORS, _ADDED = np.random.default_rng(0).integers(1, 2**63, (2, BANDS * ROWS), np.uint64) | np.uint64(1)
_POWERS = np.random.default_rng(1).integers(1, 2**63, SHINGLE, np.uint64) | np.uint64(1)


def shingles(text: str) -> np.ndarray:
    """The hashes of a text's shingles, sorted, each once, uint64 [n]; none where it has fewer than 5 characters."""
    codes = np.frombuffer(" ".join(text.lower().split()).encode("utf-32-le", "surrogatepass"), np.uint32)
    if len(codes) < SHINGLE:
        return np.empty(0, np.uint64)
    mixed = np.lib.stride_tricks.sliding_window_view(codes, SHINGLE).astype(np.uint64) @ _POWERS
    return np.unique((mixed ^ (mixed >> np.uint64(29))) * _FACTORS[0])


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """The Jaccard similarity of two sets of shingles, 0 to 1."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / max(1, len(one) + len(other) - both)


class NearDuplicates:
    """Which of some texts have had a near-duplicate among those that were shown; `found` is bool [S]."""

    def __init__(self, texts: Sequence[str], threshold: float = 0.8) -> None:
        self.threshold = threshold
        self.found = np.zeros(len(texts), bool)
        self._shingles = [shingles(text) for text in texts]
        bands = [_bands(each) for each in self._shingles]
        self._bands = np.stack(bands) if bands else np.empty((0, BANDS), np.uint64)
        self._order()

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Rows of which the second is near to the first, so many that sets of them hang together; each pair once."""
        told: set[tuple[int, int]] = set()
        for rows, keys in zip(self._rows, self._keys, strict=True):
            starts = np.flatnonzero(np.diff(keys, prepend=keys[:1] ^ np.uint64(1)))
            for first, last in zip(starts.tolist(), [*starts[1:].tolist(), len(keys)], strict=True):
                run = rows[first:last].tolist()
                for before, row in [*pairwise(run), *((run[0], row) for row in run[2:])]:
                    pair = min(before, row), max(before, row)
                    if pair not in told:
                        told.add(pair)
                        if similarity(self._shingles[pair[0]], self._shingles[pair[1]]) >= self.threshold:
                            yield pair

    def show(self, text: str) -> list[int]:
        """Mark what `text` is near to; the rows that it is the first to be near to."""
        own = shingles(text)
        if not len(own) or not len(self._rows):
            return []
        candidates: set[int] = set()
        for band, key in enumerate(_bands(own)):
            keys = self._keys[band]
            first = int(np.searchsorted(keys, key))
            last = min(int(np.searchsorted(keys, key, "right")), first + MOST)
            candidates.update(self._rows[band][first:last].tolist())
        near = [
            row
            for row in sorted(candidates)
            if not self.found[row] and similarity(own, self._shingles[row]) >= self.threshold
        ]
        self.found[near] = True
        if len(near) > MOST // 2:
            self._order()
        return near

    def _order(self) -> None:
        """The rows that are not found yet, by the hashes of each band."""
        rows = np.flatnonzero(self._bands.any(axis=1) & ~self.found)
        orders = [np.argsort(self._bands[rows, band], kind="stable") for band in range(BANDS)] if len(rows) else []
        self._rows = [rows[order] for order in orders]
        self._keys = [self._bands[each, band] for band, each in enumerate(self._rows)]


def _bands(own: np.ndarray) -> np.ndarray:
    """A hash of each band's 4 smallest hashes, uint64 [16]."""
    if not len(own):
        return np.zeros(BANDS, np.uint64)
    least = (own[:, None] * _FACTORS + _ADDED).min(axis=0).reshape(BANDS, ROWS) >> np.uint64(11)
    return least @ _POWERS[:ROWS]
