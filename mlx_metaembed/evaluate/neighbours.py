"""Labels by k nearest neighbours: each text takes the label that most of its nearest texts have, by cosine."""

import numpy as np

from mlx_metaembed.search.exact import score_blocks, top


def guessed(
    queries: np.ndarray, corpus: np.ndarray, labels: np.ndarray, count: int, *, k: int, leave_one_out: bool
) -> np.ndarray:
    """A label int64 [n] for each query [n, D], by the corpus [N, D] whose `labels` are 0..count-1 [N].

    With `leave_one_out` row i of both is the same text, which is no neighbour of its own.
    """
    found, start = [], 0
    for scores in score_blocks(queries, corpus, similarity="cosine"):
        if leave_one_out:
            lines = np.arange(len(scores))
            scores[lines, start + lines] = -np.inf
        rows = top(scores, min(k, len(labels) - leave_one_out))
        found.append(vote(labels[rows], np.take_along_axis(scores, rows, axis=1), count))
        start += len(scores)
    return np.concatenate(found)


def vote(labels: np.ndarray, cosines: np.ndarray, count: int) -> np.ndarray:
    """The label [b] that most of the neighbours [b, k] have; a tie goes to the larger sum of cosines."""
    lines = np.arange(len(labels))[:, None]
    votes = np.zeros((len(labels), count))
    # All k cosines together move a total by less than half a vote, so they decide ties only.
    np.add.at(votes, (lines, labels), 1 + cosines / (4 * labels.shape[1]))
    return np.argmax(votes, axis=1)
