"""What the levels of a digit mean: how many texts have each, the words that mark them, and examples."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from mlx_metaembed.semantic_ids.digit import Digit
from mlx_metaembed.semantic_ids.files import Ids

WORD = re.compile(r"[^\W\d_]{3,}")
WORDS, EXAMPLES = 6, 3
PRIOR = 0.01
"""Share of the corpus that is counted beside each level, so that words of few texts mark nothing."""


def levels(found: Ids, at: int) -> list[dict]:
    """A row for each used level of the digit number `at` (from 0): texts, share, label, marking words, examples."""
    digit, own = found.scheme.digits[at], found.ids[:, at]
    counts = np.bincount(own, minlength=digit.levels)
    words = marking(found.texts, own, digit.levels)
    best = examples(found, at)
    return [
        {
            "level": int(level),
            "label": digit.label(level),
            "texts": int(counts[level]),
            "share": float(counts[level] / len(own)),
            "words": words[level],
            "examples": [found.texts[row] for row in best[level]],
        }
        for level in np.flatnonzero(counts)
    ]


def marking(texts: Sequence[str], of: np.ndarray, count: int) -> list[list[str]]:
    """For each level the words that more of its texts have than one would expect, the most telling first.

    Log-odds with an informative Dirichlet prior, over its standard error (Monroe, Colaresi and Quinn 2008).
    """
    by_level = [Counter() for _ in range(count)]
    for text, level in zip(texts, of, strict=True):
        by_level[level].update(set(WORD.findall(text.lower())))
    whole = sum(by_level, Counter())
    total = max(whole.total(), 1)
    found = []
    for own in by_level:
        size, others = own.total(), total - own.total()
        scores = {}
        for word, times in own.items():
            prior = PRIOR * whole[word]
            inside, outside = times + prior, whole[word] - times + prior
            odds = np.log(inside / (size + PRIOR * total - inside))
            odds -= np.log(outside / (others + PRIOR * total - outside))
            scores[word] = odds / np.sqrt(1 / inside + 1 / outside)
        telling = sorted((-score, word) for word, score in scores.items() if score > 0)
        found.append([word for _, word in telling[:WORDS]])
    return found


def examples(found: Ids, at: int) -> list[list[int]]:
    """For each level the rows of the texts whose IDs' vectors are nearest to the mean of its texts'."""
    own, vectors = found.ids[:, at], found.scheme.decode(found.ids)
    chosen = []
    for level in range(found.scheme.digits[at].levels):
        rows = np.flatnonzero(own == level)
        if len(rows):
            far = np.linalg.norm(vectors[rows] - vectors[rows].mean(0), axis=1)
            rows = rows[np.argsort(far, kind="stable")[:EXAMPLES]]
        chosen.append(rows.tolist())
    return chosen


def spoken(digit: Digit, at: int) -> str:
    """A digit's name as people read it: `era`, or `digit 4`."""
    return digit.name or f"digit {at + 1}"
