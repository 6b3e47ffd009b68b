"""Texts to calibrate on, and texts apart from them by which is measured what an export kept.

Of rows with judgements some queries and what answers them are held out; of plain texts a part asks and a part is
searched.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed import data
from mlx_metaembed.data.rows import Pairs, Retrieval
from mlx_metaembed.errors import CallError
from mlx_metaembed.inputs.colbert_tokenizer import DOCUMENT, QUERY
from mlx_metaembed.search import source

LEAST = 40
"""Texts under which nothing can be held out."""
MOST_QUERIES, MOST_SEARCHED = 200, 800
SHARE = 5
"""A fraction (1 / SHARE) of the texts is held out at most."""
Text = tuple[str | None, str]
"""A text, after the name of the prompt that it carries."""


@dataclass(frozen=True)
class CalibrationTexts:
    """Texts to calibrate on, queries, and what they search; `relevant` has each query's answers with their grade, None
    where nobody judged."""

    fit: list[Text]
    queries: list[Text]
    searched: list[Text]
    relevant: list[dict[int, float]] | None
    notes: tuple[str, ...] = ()


def read(path: str | Path, most: int, seed: int) -> CalibrationTexts:
    """The texts of a source, as every verb reads it, drawn by the seed; `most` to calibrate on.

    Raises CallError as `data.read_texts` does, and where there are too few.
    """
    rows = data.read_texts(path)
    rows = rows.retrieval() if isinstance(rows, Pairs) else rows
    judged = isinstance(rows, Retrieval) and any(rows.relevant)
    texts = source.read(path).texts if not judged else rows.corpus
    count = len(texts) + (len(rows.queries) if judged else 0)
    if count < LEAST:
        raise CallError(
            f"{path} has {count:,} texts to calibrate on; expected some hundred, {LEAST} at least, a fifth of which is "
            "held out to measure by"
        )
    random = np.random.default_rng(seed)
    found = _judged(rows, random) if judged else _unjudged(texts, random)
    fit = [found.fit[at] for at in random.permutation(len(found.fit))[:most]]
    return CalibrationTexts(fit, found.queries, found.searched, found.relevant, tuple(rows.notes))


def by_prompt(texts: Sequence[Text], encode: Callable[[list[str], str | None], np.ndarray]) -> np.ndarray:
    """Vectors [n, D] of texts in order, those of a prompt encoded together."""
    found: np.ndarray | None = None
    for prompt in dict.fromkeys(prompt for prompt, _ in texts):
        own = [at for at, (each, _) in enumerate(texts) if each == prompt]
        vectors = encode([texts[at][1] for at in own], prompt)
        found = np.empty((len(texts), vectors.shape[1]), np.float32) if found is None else found
        found[own] = vectors
    return found


def _judged(rows: Retrieval, random: np.random.Generator) -> CalibrationTexts:
    """Some queries with what answers them, and others that are searched beside."""
    answered = [at for at, grades in enumerate(rows.relevant) if any(grade > 0 for grade in grades.values())]
    asking = sorted(random.permutation(answered)[: max(1, min(MOST_QUERIES, len(answered) // SHARE))].tolist())
    searched = {row for at in asking for row in rows.relevant[at]}
    most = max(len(searched), min(MOST_SEARCHED, len(rows.corpus) // SHARE))
    others = [row for row in random.permutation(len(rows.corpus)).tolist() if row not in searched]
    searched = sorted([*searched, *others[: most - len(searched)]])
    place, taken = {row: at for at, row in enumerate(searched)}, set(asking)
    fit = [(DOCUMENT, text) for row, text in enumerate(rows.corpus) if row not in place]
    fit += [(QUERY, text) for at, text in enumerate(rows.queries) if at not in taken]
    return CalibrationTexts(
        list(dict.fromkeys(fit)),
        [(QUERY, rows.queries[at]) for at in asking],
        [(DOCUMENT, rows.corpus[row]) for row in searched],
        [{place[row]: grade for row, grade in rows.relevant[at].items()} for at in asking],
    )


def _unjudged(texts: Sequence[str], random: np.random.Generator) -> CalibrationTexts:
    order = [texts[at] for at in random.permutation(len(texts))]
    asking = max(1, min(MOST_QUERIES, len(order) // (4 * SHARE)))
    held = asking + max(1, min(MOST_SEARCHED, len(order) // SHARE - asking))
    # The prompt of what is stored, since nobody says which are queries.
    each = [(DOCUMENT, text) for text in order]
    return CalibrationTexts(each[held:], each[:asking], each[asking:held], None)
