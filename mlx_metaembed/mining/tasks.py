"""Queries, the corpus that is searched for their negatives, and which rows of it may be none.

Two texts are one where they differ in spaces alone, as in training. The corpus is known by a number a text, so that
none of it need be held.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from mlx_metaembed.data.rows import Kinds, Labelled, Pairs, Scored, Texts
from mlx_metaembed.data.same_text import number, plain
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.mining.settings import Settings
from mlx_metaembed.search.index import Index

READ = 4_096
"""Texts of an index that are read together."""


class Corpus(Protocol):
    """Texts by row."""

    def __len__(self) -> int: ...
    def __getitem__(self, rows: Sequence[int]) -> list[str]: ...
    def __iter__(self) -> Iterator[str]: ...


class Listed:
    """Distinct texts in memory, the first of those that are one."""

    def __init__(self, texts: Iterable[str]):
        first: dict[str, str] = {}
        for text in texts:
            first.setdefault(plain(text), text)
        self.texts = list(first.values())

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, rows: Sequence[int]) -> list[str]:
        return [self.texts[row] for row in rows]

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)


class Indexed:
    """The texts of an index, read from the disk when asked for."""

    def __init__(self, index: Index):
        self.index = index

    def __len__(self) -> int:
        return self.index.about.count

    def __getitem__(self, rows: Sequence[int]) -> list[str]:
        return [entry.text for entry in self.index.corpus[rows]]

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), READ):
            yield from self[range(first, min(first + READ, len(self)))]


@dataclass(frozen=True)
class Task:
    """Queries with their positives' texts and rows of the corpus; `numbers` uint64 [N] are the corpus's texts.

    Of each query `own` are the numbers of its own text, `answers` those of its positives.
    """

    queries: list[str]
    positives: list[list[str]]
    rows: list[list[int]]
    corpus: Corpus
    numbers: np.ndarray
    own: list[np.ndarray]
    answers: list[np.ndarray]

    @property
    def most_positives(self) -> int:
        return max(map(len, self.rows))

    def nearest(self, last_rank: int) -> int:
        """How many nearest texts hold as many candidates as in sentence-transformers, where positives take their ranks,
        beside a query's own texts."""
        return last_rank + self.most_positives + max(map(len, self.own))

    def is_own(self, query: int, rows: np.ndarray) -> np.ndarray:
        """Which rows of the corpus have the query's own text, bool like `rows`."""
        return np.isin(self.numbers[rows], self.own[query])

    def is_positive(self, query: int, rows: np.ndarray) -> np.ndarray:
        """Which rows of the corpus have the text of one of the query's positives, bool like `rows`."""
        return np.isin(self.numbers[rows], self.answers[query])


@dataclass(frozen=True)
class Asked:
    """Distinct queries, the positives of each, the corpus that the data itself has, and other texts of the queries'
    own: of a query whose id stands in the corpus, what stands there.
    """

    queries: list[str]
    positives: list[list[str]]
    corpus: list[str]
    itself: dict[int, str] = field(default_factory=dict)


def asked(rows: Kinds | Texts, source: object) -> Asked:
    """What rows ask for. Raises CallError where the rows are no pairs, or a query has no positive."""
    if isinstance(rows, Scored | Labelled | Texts):
        columns = {Scored: "sentence1, sentence2, score", Labelled: "text, label", Texts: "text"}[type(rows)]
        raise CallError(
            f"{source} has the columns {columns}; mining needs pairs: anchor, positive. "
            "Where they are pairs, say so: --columns anchor=...,positive=..."
        )
    found = rows.retrieval() if isinstance(rows, Pairs) else rows
    positives = [[found.corpus[row] for row in grades] for grades in found.relevant]
    without = [query for query, texts in zip(found.queries, positives, strict=True) if not texts]
    if without:
        raise faults(f"{source} has queries without a positive:", map(_shown, without), "Leave these queries out.")
    own = {query: found.corpus[row] for query, row in found.itself.items()}
    return Asked(found.queries, positives, found.corpus, own)


def task(given: Asked, corpus: Corpus, called: str, *, add: bool = False) -> Task:
    """The task of queries with their positives in a corpus; `called` is what messages call it.

    With `add` positives that are not in it become rows behind its own. Raises CallError with all the positives that are
    not, and for a corpus that has none of them, which is another one.
    """
    numbers = np.array([number(text) for text in corpus], np.uint64)
    by_query = [list({number(text): text for text in texts}.items()) for texts in given.positives]
    wanted = {each: text for found in by_query for each, text in found}
    # The last row first, so that the first of equal texts is what stays.
    at = np.flatnonzero(np.isin(numbers, np.array(list(wanted), np.uint64)))[::-1]
    row_of = {int(numbers[row]): int(row) for row in at}
    missing = [each for each in wanted if each not in row_of]
    if missing and not add:
        raise _absent(given.queries, by_query, row_of, called, len(missing) == len(wanted))
    if missing:
        row_of |= {each: len(corpus) + place for place, each in enumerate(missing)}
        numbers = np.concatenate([numbers, np.array(missing, np.uint64)])
        corpus = Listed([*corpus, *(wanted[each] for each in missing)])
    own = [
        {number(query), *([number(given.itself[at])] if at in given.itself else [])}
        for at, query in enumerate(given.queries)
    ]
    return Task(
        given.queries,
        [[text for _, text in found] for found in by_query],
        [[row_of[each] for each, _ in found] for found in by_query],
        corpus,
        numbers,
        [np.array(sorted(each), np.uint64) for each in own],
        [np.array([each for each, _ in found], np.uint64) for found in by_query],
    )


def of(rows: Kinds, source: object, corpus: Texts | None, index: Index | None, *, add: bool = False) -> Task:
    """The task of rows in a corpus, in an index, or where neither is given in the texts that the rows have themselves.

    Raises as `asked` and `task` do.
    """
    given = asked(rows, source)
    if index is not None and corpus is not None:
        raise CallError("Both a corpus and an index are given; an index has its corpus with it. Expected one of them")
    if index is not None and add:
        raise CallError("An index can't take more texts: build it again with the positives, without --add-positives")
    if index is not None:
        return task(given, Indexed(index), f"The index {index.path}")
    if corpus is not None:
        return task(given, Listed(corpus.texts), "The corpus", add=add)
    return task(given, Listed(given.corpus), str(source))


def require_enough(task: Task, settings: Settings, called: str) -> None:
    """Raise CallError where the corpus can't give so many negatives to any query."""
    least = 0 if settings.include_positives else min(map(len, task.rows))
    left = len(task.corpus) - least
    if left < settings.range_min + settings.num_negatives:
        skipped = f" after range_min = {settings.range_min}" if settings.range_min else ""
        raise CallError(
            f"{called} has {len(task.corpus):,} distinct texts, {max(left, 0):,} beside a query's positives, which "
            f"can't give {settings.num_negatives} negatives{skipped}. Give a larger corpus, or ask for fewer"
        )


def _absent(
    queries: Sequence[str], by_query: Sequence[list], row_of: dict[int, int], called: str, everything: bool
) -> CallError:
    if everything:
        return CallError(
            f"{called} has none of the data's positives; it is the index or the corpus of other data. Expected the "
            "corpus in which they stand; a corpus of negatives alone: --corpus FILE --add-positives"
        )
    without = [
        f"{_shown(query)}: its positive {_shown(text)}"
        for query, found in zip(queries, by_query, strict=True)
        for each, text in found
        if each not in row_of
    ]
    return faults(
        f"{called} lacks positives of {len(without):,} rows:",
        without,
        "Take those rows out, or put the texts into the corpus; with --corpus, --add-positives does that",
    )


def _shown(text: str, most: int = 60) -> str:
    return repr(text if len(text) <= most else f"{text[:most]}...")
