"""Classification without training: each text takes the label of its nearest neighbours among all the others.

Leave-one-out over one set needs no split and no fitted head, so two models compare by their vectors alone.
"""

from collections.abc import Sequence

import numpy as np

from mlx_metaembed.errors import CallError
from mlx_metaembed.search.exact import score_blocks, top


def measure(queries: np.ndarray, corpus: np.ndarray, labels: Sequence[str], k: int = 10) -> dict[str, float]:
    """Leave-one-out k-nearest-neighbour `{"accuracy", "macro_f1"}` in 0..1, by cosine.

    Row i of `queries` [n, D] and of `corpus` [n, D] is the same text (the two differ where only stored vectors are
    coded). Raises CallError for fewer than two texts, unequal counts, or a single label.
    """
    if not len(queries) == len(corpus) == len(labels):
        raise CallError(f"Expected a label for each vector; found {len(queries):,} vectors, {len(labels):,} labels")
    names, gold = np.unique(np.asarray(labels), return_inverse=True)
    if len(names) < 2:
        raise CallError(f"Classification needs at least 2 different labels; found {len(names)}")
    guessed, start = [], 0
    for scores in score_blocks(queries, corpus, similarity="cosine"):
        lines = np.arange(len(scores))
        scores[lines, start + lines] = -np.inf
        rows = top(scores, min(k, len(gold) - 1))
        guessed.append(vote(gold[rows], np.take_along_axis(scores, rows, axis=1), len(names)))
        start += len(scores)
    return {
        "accuracy": float(np.mean(np.concatenate(guessed) == gold)),
        "macro_f1": macro_f1(gold, np.concatenate(guessed), len(names)),
    }


def vote(labels: np.ndarray, cosines: np.ndarray, count: int) -> np.ndarray:
    """The label [b] that most of the neighbours [b, k] have; a tie goes to the larger sum of cosines."""
    lines = np.arange(len(labels))[:, None]
    votes = np.zeros((len(labels), count))
    # All k cosines together move a total by less than half a vote, so they decide ties only.
    np.add.at(votes, (lines, labels), 1 + cosines / (4 * labels.shape[1]))
    return np.argmax(votes, axis=1)


def macro_f1(gold: np.ndarray, guessed: np.ndarray, count: int) -> float:
    """Mean over the labels 0..count-1 of each one's F1; a label never guessed scores 0."""
    right = np.bincount(gold[gold == guessed], minlength=count)
    given = np.bincount(gold, minlength=count) + np.bincount(guessed, minlength=count)
    return float(np.mean(2 * right / np.maximum(given, 1)))
