"""The hardest mistakes of a model, with their texts: right answers far down, scores far off, labels of the others."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mlx_metaembed.data.rows import Labelled, Retrieval, Scored
from mlx_metaembed.evaluate.neighbours import vote
from mlx_metaembed.evaluate.rows import Candidates, JudgedPairs, Split, Translations
from mlx_metaembed.evaluate.seen import Seen, parts
from mlx_metaembed.evaluate.sts import ranks

MISTAKES, TEXT = 6, 4_000
"""How many are shown, and characters of a text."""


def mistakes(rows: object, found: Mapping[str, Seen]) -> list[dict]:
    """The mistakes that are left after training, the worst first, with what was there `before` where that is known.

    Of retrieval, of candidates and of sentences of two sides `{"query", "rank_after", "right": {"text", "score"},
    "first": ...}`; of scored pairs `{"sentence1", "sentence2", "score", "cosine_after", "score_place",
    "cosine_place"}`, the places as shares of the pairs that lie below; of judged pairs `{"sentence1", "sentence2",
    "together", "cosine_after", "cosine_place"}`; of labelled texts `{"text", "label", "guess_after", "nearest":
    {"text", "score", "label"}}`.
    """
    kinds = {Retrieval: _retrieval, Translations: _translations, Candidates: _candidates}
    kinds |= {Scored: _scored, JudgedPairs: _judged, Labelled: _labelled, Split: _labelled}
    return list(kinds[type(rows)](rows, found)) if type(rows) in kinds and "after" in found else []


def _translations(rows: Translations, found: Mapping[str, Seen]) -> Iterator[dict]:
    return _asked(rows.first, rows.second, found)


def _candidates(rows: Candidates, found: Mapping[str, Seen]) -> Iterator[dict]:
    return _asked(rows.queries, rows.documents, found)


def _retrieval(rows: Retrieval, found: Mapping[str, Seen]) -> Iterator[dict]:
    return _asked(rows.queries, rows.corpus, found)


def _asked(queries: Sequence[str], corpus: Sequence[str], found: Mapping[str, Seen]) -> Iterator[dict]:
    after = found["after"]
    gaps = after.scores[:, 0] - after.right_scores
    for at in np.lexsort((-gaps, -after.rank))[:MISTAKES].tolist():
        if after.rank[at] > 1:
            yield {
                "query": queries[at][:TEXT],
                **{f"rank_{stage}": int(each.rank[at]) for stage, each in found.items()},
                "right": {"text": corpus[after.right[at]][:TEXT], "score": float(after.right_scores[at])},
                "first": {"text": corpus[after.nearest[at, 0]][:TEXT], "score": float(after.scores[at, 0])},
            }


def _scored(rows: Scored, found: Mapping[str, Seen]) -> Iterator[dict]:
    cosines, gold = found["after"].cosines, np.asarray(rows.scores, np.float64)
    places = {name: _places(values) for name, values in (("score", gold), ("cosine", cosines))}
    off = np.abs(places["score"] - places["cosine"])
    for at in np.argsort(-off, kind="stable")[:MISTAKES].tolist():
        yield {
            "sentence1": rows.sentence1[at][:TEXT],
            "sentence2": rows.sentence2[at][:TEXT],
            "score": float(gold[at]),
            **{f"cosine_{stage}": float(each.cosines[at]) for stage, each in found.items()},
            **{f"{name}_place": float(values[at]) for name, values in places.items()},
        }


def _judged(rows: JudgedPairs, found: Mapping[str, Seen]) -> Iterator[dict]:
    place = _places(found["after"].cosines)
    off = np.where(rows.together, 1 - place, place)
    for at in np.argsort(-off, kind="stable")[:MISTAKES].tolist():
        # In the half where it does not belong.
        if off[at] > 0.5:
            yield {
                "sentence1": rows.sentence1[at][:TEXT],
                "sentence2": rows.sentence2[at][:TEXT],
                "together": rows.together[at],
                **{f"cosine_{stage}": float(each.cosines[at]) for stage, each in found.items()},
                "cosine_place": float(place[at]),
            }


def _places(values: np.ndarray) -> np.ndarray:
    """Where each value stands among all, 0 to 1, ties in the middle of theirs."""
    return (ranks(values) - 0.5) / len(values)


def _labelled(rows: Labelled | Split, found: Mapping[str, Seen]) -> Iterator[dict]:
    test, stored = parts(rows)
    names, every = np.unique(np.array([*test.labels, *stored.labels]), return_inverse=True)
    gold, known = every[: len(test)], every[len(test) :]
    guesses = {stage: vote(known[each.nearest], each.scores, len(names)) for stage, each in found.items()}
    after, guessed = found["after"], guesses["after"]
    labels = known[after.nearest]
    lead = (labels == guessed[:, None]).sum(axis=1) - (labels == gold[:, None]).sum(axis=1)
    wrong = np.flatnonzero(guessed != gold)
    for at in wrong[np.lexsort((-after.scores[wrong, 0], -lead[wrong]))][:MISTAKES].tolist():
        # The nearest of the texts that have the guessed label.
        near = int(np.argmax(labels[at] == guessed[at]))
        yield {
            "text": test.texts[at][:TEXT],
            "label": test.labels[at],
            **{f"guess_{stage}": str(names[each[at]]) for stage, each in guesses.items()},
            "nearest": {
                "text": stored.texts[after.nearest[at, near]][:TEXT],
                "score": float(after.scores[at, near]),
                "label": str(names[guessed[at]]),
            },
        }
