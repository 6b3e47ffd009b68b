"""Scores counted in bins whose width is a power of two, so that two histograms fit on one axis."""

import math

import numpy as np

WIDTH, MOST = 2.0**-7, 256
"""The first width of a bin, which is right for cosines, and how many bins there may be."""


class Histogram:
    """Counts of values; bin i holds those above i * width, up to (i + 1) * width, which keeps a cosine of 1 below 1.

    A range too wide for the bins doubles the width.
    """

    def __init__(self) -> None:
        self._width, self._first, self._counts = WIDTH, 0, np.zeros(0, np.int64)

    def add(self, values: np.ndarray) -> None:
        """Count values [n]; those that are not finite are left out."""
        values = np.asarray(values, np.float64)
        # A cosine of 1 may come out a little above.
        values = np.round(values[np.isfinite(values)], 6)
        if not len(values):
            return
        low, high = values.min(), values.max()
        while True:
            first, last = (math.ceil(end / self._width) - 1 for end in (low, high))
            if len(self._counts):
                first, last = min(first, self._first), max(last, self._first + len(self._counts) - 1)
            if last - first < MOST:
                break
            self._double()
        places = np.ceil(values / self._width).astype(np.int64) - 1
        counts = np.bincount(places - first, minlength=last - first + 1)
        at = self._first - first if len(self._counts) else 0
        counts[at : at + len(self._counts)] += self._counts
        self._first, self._counts = first, counts

    def as_json(self) -> dict:
        """`{"low", "width", "counts"}`: where the first bin begins, and the bins."""
        return {"low": self._first * self._width, "width": self._width, "counts": self._counts.tolist()}

    def _double(self) -> None:
        """Join the bins two by two, as they lie in bins of twice the width."""
        self._width *= 2
        if len(self._counts):
            places = (self._first + np.arange(len(self._counts))) // 2
            self._first = int(places[0])
            self._counts = np.bincount(places - places[0], weights=self._counts).astype(np.int64)
