"""The shapes of rows, recognised by the names of their columns.

The names are the ecosystem's: sentence-transformers' data sets, FlagEmbedding's lists, STS and NLI benchmarks. Columns
that belong to no shape are named in a note; those whose names say that they matter are refused (see `meant`).
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

NEGATIVE = re.compile(r"(?:hard_)?neg(?:ative)?s?_?(\d*)")
PLURAL = re.compile(r"(?:hard_)?neg(?:ative)?s|neg|pos|positives")
"""Columns of lists; a cell of CSV or SQLite holds the list as JSON."""
POSITIVE_SCORE = re.compile(r"pos(?:itive)?s?_scores?")
NEGATIVE_SCORE = re.compile(r"(?:hard_)?neg(?:ative)?s?_(?:(\d+)_score|scores?_?(\d*))")
SCORES = r"sim|similarity|relevance|relatedness|cosine|bm25|ce|rerank(?:er)?|cross_encoder|gold|match|quality"
MEANT = {
    "a label": r"(?:gold|true|class|binary|pair|match|target|soft)?_?labels?"
    r"|is_(?:dup|duplicate|match|paraphrase|relevant|positive)|relevant|judge?ments?",
    "a score": rf"(?:(?:{SCORES}|pos|neg|positive|negative)s?_?)?scores?"
    r"|similarity|similarities|relevance|relatedness|rating|grade|margin|distance|logits?",
    "a prompt": r"(?:(?:query|anchor|doc|document|passage|positive|corpus|task)_?)?(?:prompt|instruct(?:ion)?)s?"
    r"|task_description",
    "a weight": r"(?:(?:sample|row|example|loss)_?)?weights?|importance",
    "a teacher's": r"teachers?(?:_.*)?|.+_teacher|distill?(?:ation)?_.*|kd_.*",
    "a negative": r"(?:hard_?)?neg(?:ative)?s?(?:_.*|\d*)",
    "a positive": r"pos(?:itive)?s?(?:_(?:\d+|passages?|ctxs?|texts?|docs?|ids?|doc_ids?)|\d*)",
}


@dataclass(frozen=True)
class Shape:
    """A shape's columns; `kind` says which rows they give, `negatives` that hard negatives may follow.

    `targets` has the column that each target is read from, by the target's name; the scores of candidates have none,
    they go by several names.
    """

    kind: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    negatives: bool = False
    targets: tuple[tuple[str, str], ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """The required columns of texts."""
        return tuple(name for name in self.required if name not in {column for _, column in self.targets})

    def missing(self, columns: Collection[str]) -> list[str]:
        """The required columns that are not there."""
        wanted = dict(self.targets)
        return [
            *(name for name in self.required if name not in columns),
            *(["negative"] if "negative_score" in wanted and not negatives_of(columns) else []),
            *(["positive_score"] if "positive_score" in wanted and not positive_scores_of(columns) else []),
            *(["negative_score"] if "negative_score" in wanted and not negative_scores_of(columns) else []),
        ]

    def used(self, columns: Collection[str]) -> tuple[str, ...]:
        """The columns that this shape reads, negatives last and in the order of their numbers."""
        optional = [name for name in self.optional if name in columns]
        wanted = dict(self.targets)
        return (
            *self.required,
            *optional,
            *(positive_scores_of(columns) if "positive_score" in wanted else ()),
            *(negative_scores_of(columns) if "negative_score" in wanted else ()),
            *(negatives_of(columns) if self.negatives else ()),
        )

    def __str__(self) -> str:
        scores = [name for name, column in self.targets if not column]
        negatives = ["negative or negative_1 .. negative_n or negatives"] if self.negatives else []
        more = [*self.optional, *([] if scores else negatives)]
        return ", ".join([*self.required, *(negatives + scores if scores else [])]) + (
            f" [, {', '.join(more)}]" if more else ""
        )


SHAPES = (
    Shape("pairs", ("anchor", "positive"), ("label",), negatives=True),
    # The names of sentence-transformers' msmarco, natural-questions and gooaq.
    Shape("pairs", ("query", "positive"), ("label",), negatives=True),
    Shape("pairs", ("query", "answer"), ("label",), negatives=True),
    Shape("pairs", ("question", "answer"), ("label",), negatives=True),
    Shape("pairs", ("query", "pos"), negatives=True),
    Shape("pairs", ("query", "positives"), negatives=True),
    Shape("pairs", ("anchor", "positives"), negatives=True),
    Shape("pairs", ("sentence1", "sentence2", "label")),
    Shape("pairs", ("sentence1", "sentence2", "gold_label")),
    Shape("pairs", ("premise", "hypothesis", "label")),
    Shape("scored", ("sentence1", "sentence2", "score")),
    Shape("labelled", ("text", "label")),
)
TEXTS = Shape("text_alone", ("text",), ("title", "id", "_id"))
"""What is embedded or indexed, and nothing else is asked of."""
ROLES = tuple(
    dict.fromkeys(
        [name for shape in (*SHAPES, TEXTS) for name in (*shape.required, *shape.optional)]
        + ["positive_score", "negative_score"]
    )
)
KNOWN = "\n".join(
    [
        "Known columns:",
        *(f"  {shape}" for shape in SHAPES),
        "Other names are mapped with --columns, like --columns anchor=title,positive=source",
    ]
)


def complete(columns: Collection[str], chosen: Collection[str] = (), *, texts: bool = False) -> list[Shape]:
    """The shapes that have all their columns, and read every column that was `chosen`.

    With `texts` a text is all that is asked for, and comes first.
    """
    if texts and not TEXTS.missing(columns):
        return [TEXTS]
    return [shape for shape in SHAPES if not shape.missing(columns) and set(chosen) <= set(shape.used(columns))]


def mismatch(columns: Collection[str], chosen: Collection[str], fits: Collection[Shape]) -> str:
    """Why columns give no shape, or more than one (`fits`): those found, and what the closest shape lacks."""
    found = ", ".join(repr(name[:40]) for name in columns) or "none"
    if fits:
        both = " and ".join(f"({', '.join(shape.required)})" for shape in fits)
        return f"columns {found} fit more than one shape: {both}; leave out what is not meant"
    if complete(columns):
        return f"columns {found} fit no shape that has {' and '.join(map(repr, chosen))}"
    closest = min(SHAPES, key=lambda shape: len(shape.missing(columns)) / len(shape.required))
    missing = closest.missing(columns)
    if len(missing) == len(closest.required):
        return f"columns {found} fit no known shape"
    lacks = " and ".join(repr(name) for name in missing)
    return f"columns {found} fit no known shape; closest is ({', '.join(closest.required)}), which lacks {lacks}"


def meant(name: str, shape: Shape, used: Collection[str], *, training: bool = False) -> str:
    """What a column that `shape` does not read says by its name, like "a score"; empty where that changes nothing.

    A second label beside one that is read says nothing more, nor does a second score. For `training` negatives say
    something beside any rows, and so do the scores of candidates.
    """
    plain = _plain(name)
    kind = next((kind for kind, pattern in MEANT.items() if re.fullmatch(pattern, plain)), "")
    if plain == "type" and "pos" in shape.required:
        return "FlagEmbedding's kind of a row"
    same = [other for other in used if kind and re.fullmatch(MEANT[kind], _plain(other))]
    if training and is_candidates(name):
        same = [other for other in same if is_candidates(other)]
    if kind in ("a label", "a score") and same:
        return ""
    passed = () if shape.kind == "pairs" else ("a positive",) if training else ("a negative", "a positive")
    return "" if kind in passed else kind


def is_candidates(name: str) -> bool:
    """Whether a column holds the scores of a query's candidates: `pos_scores`, `negative_score_2`."""
    return bool(POSITIVE_SCORE.fullmatch(_plain(name)) or NEGATIVE_SCORE.fullmatch(_plain(name)))


def positive_scores_of(columns: Collection[str]) -> list[str]:
    """The column of the positives' scores, the first of them, or none."""
    return [name for name in columns if POSITIVE_SCORE.fullmatch(_plain(name))][:1]


def negative_scores_of(columns: Collection[str]) -> list[str]:
    """The columns of the negatives' scores, in the order of their numbers, those without one first."""
    matches = [(NEGATIVE_SCORE.fullmatch(_plain(name)), name) for name in columns]
    return [name for _, name in sorted((int(match[1] or match[2] or -1), name) for match, name in matches if match)]


@lru_cache(4096)
def is_negative(name: str) -> bool:
    """Whether a column holds hard negatives, by any of the names in use: `negative_3`, `neg`, `hard_negatives`."""
    return bool(NEGATIVE.fullmatch(_plain(name)))


def negatives_of(columns: Collection[str]) -> list[str]:
    """The columns of hard negatives, in the order of their numbers, those without one first."""
    matches = [(NEGATIVE.fullmatch(_plain(name)), name) for name in columns]
    return [name for _, name in sorted((int(match[1] or -1), name) for match, name in matches if match)]


@lru_cache(4096)
def is_list(name: str) -> bool:
    """Whether a column's name says that it holds a list: `pos`, `neg`, `negatives`."""
    return bool(PLURAL.fullmatch(_plain(name)))


def by_position(cells: Sequence[object]) -> tuple[str, ...]:
    """The names of a first row's cells where a source has none, or none at all where they can't be told.

    Two texts are a pair, two texts and a number a scored pair, more texts a pair and its hard negatives.
    """
    texts = [isinstance(cell, str) for cell in cells]
    if len(cells) == 1:
        return ("text",)
    if len(cells) == 3 and all(texts[:2]) and is_number(cells[2]):
        return ("sentence1", "sentence2", "score")
    if len(cells) > 1 and all(texts) and (len(cells) == 2 or not any(map(is_number, cells))):
        return ("anchor", "positive", *(f"negative_{number}" for number in range(1, len(cells) - 1)))
    return ()


def is_number(cell: object) -> bool:
    """Whether a cell is a number, or a text that spells one."""
    try:
        return not isinstance(cell, bool) and cell is not None and float(cell) == float(cell)
    except (TypeError, ValueError, OverflowError):
        return False


def _plain(name: str) -> str:
    """A name in lower case with underscores: `hardNegative 1` as hard_negative_1."""
    return re.sub(r"[\s-]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)).lower()
