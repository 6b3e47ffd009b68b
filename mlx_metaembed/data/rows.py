"""What a reader gives: pairs, scored pairs, labelled texts, queries with a corpus, or texts. Columns of Python lists.

No engine: the token store turns texts into numbers, and it wants them one by one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from mlx_metaembed.data.shapes import Shape
from mlx_metaembed.data.wanted import trains
from mlx_metaembed.errors import CallError


@dataclass(frozen=True)
class Pairs:
    """An anchor and its positive a row, with hard negatives where there are any (as many as a row has)."""

    anchors: list[str]
    positives: list[str]
    negatives: list[tuple[str, ...]]
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What a reader has to say to its caller: columns that are not used, rows that were left out."""

    def __len__(self) -> int:
        return len(self.anchors)

    @property
    def most_negatives(self) -> int:
        """How many hard negatives the row has that has the most."""
        return max((len(row) for row in self.negatives), default=0)

    def retrieval(self) -> "Retrieval":
        """The pairs as a search task: equal anchors are one query, equal texts one row of the corpus."""
        corpus: dict[str, int] = {}
        queries: dict[str, dict[int, float]] = {}
        for anchor, positive in zip(self.anchors, self.positives, strict=True):
            queries.setdefault(anchor, {})[corpus.setdefault(positive, len(corpus))] = 1.0
        for negatives in self.negatives:
            for negative in negatives:
                corpus.setdefault(negative, len(corpus))
        return Retrieval(
            queries=list(queries),
            corpus=list(corpus),
            relevant=list(queries.values()),
            query_ids=[str(row) for row in range(len(queries))],
            corpus_ids=[str(row) for row in range(len(corpus))],
            notes=self.notes,
        )


@dataclass(frozen=True)
class Scored:
    """Two sentences and their similarity a row, in the file's own scale."""

    sentence1: list[str]
    sentence2: list[str]
    scores: list[float]
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True)
class Labelled:
    """A text and the name of its class a row."""

    texts: list[str]
    labels: list[str]
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Retrieval:
    """Queries, a corpus, and for each query the corpus rows that answer it with their grade (above 0)."""

    queries: list[str]
    corpus: list[str]
    relevant: list[dict[int, float]]
    query_ids: list[str]
    corpus_ids: list[str]
    itself: dict[int, int] = field(default_factory=dict)
    """The corpus row that has a query's own id, where there is one: the query's text, no answer to it."""
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __len__(self) -> int:
        return len(self.queries)

    def pairs(self) -> Pairs:
        """One row a query and relevant text, whatever the grade; no negatives."""
        rows = [(query, row) for query, grades in zip(self.queries, self.relevant, strict=True) for row in grades]
        texts = [self.corpus[row] for _, row in rows]
        return Pairs([query for query, _ in rows], texts, [()] * len(rows), notes=self.notes)


@dataclass(frozen=True)
class Texts:
    """Texts to embed or to index, an id each; `lines` has the file and the first line of each that is a note's part."""

    ids: list[str]
    texts: list[str]
    lines: list[tuple[str, int]] = field(default_factory=list)
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __len__(self) -> int:
        return len(self.texts)


Kinds = Pairs | Scored | Labelled | Retrieval
"""What a reader gives."""


@dataclass(frozen=True)
class Taken:
    """Rows as they were asked for: two texts, the negatives and the targets of `shape` a row, or a text and those."""

    shape: Shape
    rows: list[tuple]
    notes: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Rows:
    """Rows to train on: texts by role, of `negative` a tuple a row, and targets by name.

    score float32 [R]; label int32 [R], the places of its names in `labels`; positive_score float32 [R];
    negative_score float32 [R, N], NaN where a row has fewer.
    """

    texts: dict[str, list]
    targets: dict[str, np.ndarray]
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.texts.values())))

    def every_text(self) -> Iterator[str]:
        """The texts of all roles, as often as they stand there."""
        for texts in self.texts.values():
            for each in texts:
                yield from (each,) if isinstance(each, str) else each


def require_trainable(rows: Kinds, source: object) -> Pairs:
    """The rows as training pairs. Raises CallError where they hold none, or too few for in-batch negatives."""
    if isinstance(rows, Retrieval):
        rows = rows.pairs()
    if not isinstance(rows, Pairs):
        columns = {Scored: ("sentence1", "sentence2", "score"), Labelled: ("text", "label")}[type(rows)]
        raise CallError(
            f"{source} has the columns {', '.join(columns)}; training needs pairs: anchor, positive [, negative]. "
            f"{trains(columns)} and serve `metaembed eval`; where they are pairs, say so: "
            f"--columns anchor=...,positive=..."
        )
    if len(rows) < 2:
        raise CallError(f"{source} has one row; in-batch negatives need at least two, and a real run thousands")
    if len(set(rows.positives)) < 2 and not any(rows.negatives):
        raise CallError(
            f"{source} has {len(rows):,} rows with one and the same positive; in-batch negatives are the other rows' "
            f"positives, so they must differ"
        )
    return rows
