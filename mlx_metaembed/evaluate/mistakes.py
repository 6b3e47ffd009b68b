"""The hardest mistakes of a model, with their texts: right answers far down, scores far off, labels of the others."""

from collections.abc import Iterator, Mapping

import numpy as np

from mlx_metaembed.data.rows import Labelled, Retrieval, Scored
from mlx_metaembed.evaluate.neighbours import vote
from mlx_metaembed.evaluate.seen import Seen
from mlx_metaembed.evaluate.sts import ranks

MISTAKES, TEXT = 6, 4_000
"""How many are shown, and characters of a text."""


def mistakes(rows: object, found: Mapping[str, Seen]) -> list[dict]:
    """The mistakes that are left after training, the worst first, with what was there `before` where that is known.

    Of retrieval `{"query", "rank_after", "right": {"text", "score"}, "first": ...}`; of scored pairs `{"sentence1",
    "sentence2", "score", "cosine_after", "score_place", "cosine_place"}`, the places as shares of the pairs that lie
    below; of labelled texts `{"text", "label", "guess_after", "nearest": {"text", "score", "label"}}`.
    """
    kinds = {Retrieval: _retrieval, Scored: _scored, Labelled: _labelled}
    return list(kinds[type(rows)](rows, found)) if type(rows) in kinds and "after" in found else []


def _retrieval(rows: Retrieval, found: Mapping[str, Seen]) -> Iterator[dict]:
    after = found["after"]
    gaps = after.scores[:, 0] - after.right_scores
    for at in np.lexsort((-gaps, -after.rank))[:MISTAKES].tolist():
        if after.rank[at] > 1:
            yield {
                "query": rows.queries[at][:TEXT],
                **{f"rank_{stage}": int(each.rank[at]) for stage, each in found.items()},
                "right": {"text": rows.corpus[after.right[at]][:TEXT], "score": float(after.right_scores[at])},
                "first": {"text": rows.corpus[after.nearest[at, 0]][:TEXT], "score": float(after.scores[at, 0])},
            }


def _scored(rows: Scored, found: Mapping[str, Seen]) -> Iterator[dict]:
    cosines, gold = found["after"].cosines, np.asarray(rows.scores, np.float64)
    # Where a value stands among all, 0 to 1, ties in the middle of theirs.
    places = {name: (ranks(values) - 0.5) / len(gold) for name, values in (("score", gold), ("cosine", cosines))}
    off = np.abs(places["score"] - places["cosine"])
    for at in np.argsort(-off, kind="stable")[:MISTAKES].tolist():
        yield {
            "sentence1": rows.sentence1[at][:TEXT],
            "sentence2": rows.sentence2[at][:TEXT],
            "score": float(gold[at]),
            **{f"cosine_{stage}": float(each.cosines[at]) for stage, each in found.items()},
            **{f"{name}_place": float(values[at]) for name, values in places.items()},
        }


def _labelled(rows: Labelled, found: Mapping[str, Seen]) -> Iterator[dict]:
    names, gold = np.unique(np.asarray(rows.labels), return_inverse=True)
    guesses = {stage: vote(gold[each.nearest], each.scores, len(names)) for stage, each in found.items()}
    after, guessed = found["after"], guesses["after"]
    labels = gold[after.nearest]
    lead = (labels == guessed[:, None]).sum(axis=1) - (labels == gold[:, None]).sum(axis=1)
    wrong = np.flatnonzero(guessed != gold)
    for at in wrong[np.lexsort((-after.scores[wrong, 0], -lead[wrong]))][:MISTAKES].tolist():
        # The nearest of the texts that have the guessed label.
        near = int(np.argmax(labels[at] == guessed[at]))
        yield {
            "text": rows.texts[at][:TEXT],
            "label": rows.labels[at],
            **{f"guess_{stage}": str(names[each[at]]) for stage, each in guesses.items()},
            "nearest": {
                "text": rows.texts[after.nearest[at, near]][:TEXT],
                "score": float(after.scores[at, near]),
                "label": str(names[guessed[at]]),
            },
        }
