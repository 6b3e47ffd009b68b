"""What a column's texts are like, counted as they come: how many, how often the same, how long, in which script."""

import importlib.util
import unicodedata
from array import array
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from mlx_metaembed.data.same_text import number

Lengths = Callable[[Sequence[str]], list[int]]
SHORT = 3
"""A text of fewer letters and digits is nearly empty."""
SAMPLE = 1_000
"""Texts that scripts and languages are told by."""
PART = 1_000


class Column:
    """The counts of one column; `lengths` measures texts in tokens or characters, `limit` is the most that is read."""

    def __init__(self, lengths: Lengths, limit: int | None) -> None:
        self.seen: set[int] = set()
        self.rows = self.texts = self.empty = self.short = 0
        self._lengths, self._limit = lengths, limit
        self._found, self._waiting = array("I"), []

    def add(self, texts: Sequence[str]) -> None:
        """Count a row's texts."""
        self.rows += bool(texts)
        for text in texts:
            self.texts += 1
            self.seen.add(number(text))
            if not text.strip():
                self.empty += 1
            elif len(text) < 100 and sum(map(str.isalnum, text)) < SHORT:
                self.short += 1
        self._waiting += texts
        if len(self._waiting) >= PART:
            self._measure()

    def result(self, rows: int) -> dict:
        """The counts as the verb's answer has them, of so many rows."""
        self._measure()
        found = np.array(self._found if self.texts else [0])
        return {
            "texts": self.texts,
            "missing": rows - self.rows,
            "distinct": len(self.seen),
            "empty": self.empty,
            "near_empty": self.short,
            "median": int(np.median(found)),
            "p95": int(np.percentile(found, 95, method="higher")),
            "longest": int(found.max()),
            "over_limit": int((found > self._limit).sum()) if self._limit else None,
        }

    def _measure(self) -> None:
        self._found.extend(self._lengths(self._waiting) if self._waiting else [])
        self._waiting = []


class Sample:
    """Up to 1,000 texts, each of all that were given with the same chance (Vitter 1985, algorithm R)."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._count, self._random = 0, np.random.default_rng(0)

    def add(self, text: str) -> None:
        self._count += 1
        if len(self.texts) < SAMPLE:
            self.texts.append(text)
        elif (at := int(self._random.integers(self._count))) < SAMPLE:
            self.texts[at] = text

    def scripts(self) -> dict[str, float]:
        """The share of the letters that each script has, by its name in Unicode, the most first."""
        letters = Counter(filter(str.isalpha, "".join(text[:1_000] for text in self.texts)))
        found: Counter = Counter()
        for letter, count in letters.items():
            found[unicodedata.name(letter, "UNKNOWN").split()[0].split("-")[0].lower()] += count
        return _shares(found)

    def languages(self) -> dict[str, float] | None:
        """The share of the texts that each language has, the most first; None where py3langid is not installed."""
        if importlib.util.find_spec("py3langid") is None:
            return None
        import py3langid

        return _shares(Counter(py3langid.classify(text)[0] for text in self.texts if text.strip()))


def _shares(found: Counter) -> dict[str, float]:
    return {name: round(count / found.total(), 4) for name, count in found.most_common(20)}
