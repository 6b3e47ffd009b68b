"""Rows that are only measured on: pairs that belong together or do not, candidates of a query, sentences of two sides.

The others are those of `data.rows`. `notes` are what a reader has to say.
"""

from dataclasses import dataclass, field

from mlx_metaembed.data.rows import Labelled, Pairs, Retrieval
from mlx_metaembed.errors import CallError


@dataclass(frozen=True)
class JudgedPairs:
    """Two sentences a row, and whether they belong together."""

    sentence1: list[str]
    sentence2: list[str]
    together: list[bool]
    notes: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Split:
    """Labelled texts to judge, and others to learn from; the same ones where each is judged by the others."""

    test: Labelled
    train: Labelled

    @property
    def notes(self) -> tuple[str, ...]:
        shared = len(set(self.test.texts) & set(self.train.texts))
        unknown = sorted(set(self.test.labels) - set(self.train.labels))
        said = [f"{shared:,} texts are also among the training texts"] if shared else []
        if unknown:
            said.append(f"{len(unknown):,} labels are in no training text, like {unknown[0]!r:.60}; none can be right")
        return tuple(dict.fromkeys((*self.test.notes, *self.train.notes, *said)))


@dataclass(frozen=True)
class Candidates:
    """Queries, documents, and the documents that came with each query: its positives and its negatives, by place."""

    queries: list[str]
    documents: list[str]
    candidates: list[tuple[list[int], list[int]]]
    notes: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, pairs: Pairs) -> "Candidates":
        """The candidates of pairs with negatives; equal anchors are one query. Raises CallError where none has both."""
        documents: dict[str, int] = {}
        found: dict[str, tuple[dict[int, None], dict[int, None]]] = {}
        for anchor, positive, negatives in zip(pairs.anchors, pairs.positives, pairs.negatives, strict=True):
            near, far = found.setdefault(anchor, ({}, {}))
            near[documents.setdefault(positive, len(documents))] = None
            far |= dict.fromkeys(documents.setdefault(each, len(documents)) for each in negatives)
        lists = {anchor: (list(near), [row for row in far if row not in near]) for anchor, (near, far) in found.items()}
        whole = {anchor: both for anchor, both in lists.items() if both[1]}
        if not whole:
            raise CallError("Reranking needs negatives beside the positives, and no query has one")
        lost = len(lists) - len(whole)
        said = (f"{lost:,} queries without a negative are left out: there is nothing to rank",) if lost else ()
        return cls(list(whole), list(documents), list(whole.values()), (*pairs.notes, *said))


@dataclass(frozen=True)
class Translations:
    """A sentence and the one that it stands beside a row, as places of distinct sentences of either side."""

    first: list[str]
    second: list[str]
    places: list[tuple[int, int]]
    notes: tuple[str, ...] = field(default=(), compare=False)

    def retrieval(self) -> Retrieval:
        """The same as a search: a sentence of the first side asks for those that it stands beside."""
        relevant: list[dict[int, float]] = [{} for _ in self.first]
        for one, other in self.places:
            relevant[one][other] = 1.0
        names = [[str(row) for row in range(len(side))] for side in (self.first, self.second)]
        return Retrieval(self.first, self.second, relevant, *names, notes=self.notes)

    @classmethod
    def of(cls, first: list[str], second: list[str], notes: tuple[str, ...] = ()) -> "Translations":
        """The same of columns; a pair that stands twice is one."""
        places: tuple[dict[str, int], dict[str, int]] = ({}, {})
        pairs = dict.fromkeys(
            tuple(place.setdefault(text, len(place)) for place, text in zip(places, pair, strict=True))
            for pair in zip(first, second, strict=True)
        )
        return cls(list(places[0]), list(places[1]), list(pairs), notes)
