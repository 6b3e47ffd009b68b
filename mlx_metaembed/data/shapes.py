"""The shapes of rows, recognised by the names of their columns.

The names are the ecosystem's: sentence-transformers' data sets, FlagEmbedding's lists, STS benchmarks. Columns that
belong to no shape are ignored where one shape is complete.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

NEGATIVE = re.compile(r"negative(?:_(\d+))?")


@dataclass(frozen=True)
class Shape:
    """A shape's columns; `kind` says which rows they give, `negatives` that negative(_1.._n) may follow."""

    kind: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    negatives: bool = False

    def missing(self, columns: Collection[str]) -> list[str]:
        """The required columns that are not there."""
        return [name for name in self.required if name not in columns]

    def used(self, columns: Collection[str]) -> tuple[str, ...]:
        """The columns that this shape reads, negatives last and in the order of their numbers."""
        optional = [name for name in self.optional if name in columns]
        matches = [NEGATIVE.fullmatch(name) for name in columns] if self.negatives else []
        negatives = sorted((int(match[1] or -1), match[0]) for match in matches if match)
        return (*self.required, *optional, *(name for _, name in negatives))

    def __str__(self) -> str:
        more = [*self.optional, *(["negative or negative_1 .. negative_n"] if self.negatives else [])]
        return ", ".join(self.required) + (f" [, {', '.join(more)}]" if more else "")


SHAPES = (
    Shape("pairs", ("anchor", "positive"), negatives=True),
    # The names of sentence-transformers' msmarco, natural-questions and gooaq.
    Shape("pairs", ("query", "positive"), negatives=True),
    Shape("pairs", ("query", "answer"), negatives=True),
    Shape("pairs", ("question", "answer"), negatives=True),
    Shape("lists", ("query", "pos"), ("neg", "pos_scores", "neg_scores")),
    Shape("scored", ("sentence1", "sentence2", "score")),
    Shape("labelled", ("text", "label")),
)
KNOWN = "\n".join(["Known columns (others are ignored):", *(f"  {shape}" for shape in SHAPES)])


def complete(columns: Collection[str]) -> list[Shape]:
    """The shapes that have all their columns."""
    return [shape for shape in SHAPES if not shape.missing(columns)]


def mismatch(columns: Collection[str]) -> str:
    """Why columns give no shape, or more than one: those found, and what the closest shape lacks."""
    found = ", ".join(repr(name[:40]) for name in columns) or "none"
    fits = complete(columns)
    if fits:
        both = " and ".join(f"({', '.join(shape.required)})" for shape in fits)
        return f"columns {found} fit more than one shape: {both}; leave out what is not meant"
    closest = min(SHAPES, key=lambda shape: len(shape.missing(columns)) / len(shape.required))
    missing = closest.missing(columns)
    if len(missing) == len(closest.required):
        return f"columns {found} fit no known shape"
    lacks = " and ".join(repr(name) for name in missing)
    return f"columns {found} fit no known shape; closest is ({', '.join(closest.required)}), which lacks {lacks}"
