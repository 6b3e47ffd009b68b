"""The directions of InfoNCE: which texts of a batch are a row's candidates, from its query's side and its document's.

B rows, N negatives a row.
"""

import numpy as np

from mlx_metaembed.losses.false_negatives import most_allowed
from mlx_metaembed.losses.in_batch import Candidates
from mlx_metaembed.losses.sample import Sample
from mlx_metaembed.losses.scorers import own_scores, scorer, turned
from mlx_metaembed.xp import Array, constant, namespace

DIRECTIONS = ("query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc")
HARDNESS = ("all_negatives", "in_batch_negatives", "hard_negatives")


def candidates_of(
    direction: str, sample: Sample, similarity: str, *, margin: float | None = None, ratio: float | None = None
) -> Candidates:
    """The candidates of a direction, without positives; two rows that share a text are none of each other.

    Documents are the positives and all negatives; a query's own ones are no candidates of each other. `margin` and
    `ratio` leave out what looks like a positive.
    """
    anchors, positives = sample.outputs["anchor"], sample.outputs["positive"]
    documents, mask = sample.documents(), sample.candidates()
    rows = mask.shape[0]
    most = limit = None
    if margin is not None or ratio is not None:
        most = most_allowed(own_scores(anchors, positives, similarity)[:, 0], margin, ratio)
        limit = most[:, None]
    if direction == "query_to_doc":
        return Candidates(scorer(anchors, documents, similarity), mask, most=limit)
    if direction == "doc_to_query":
        given = turned(scorer(anchors, documents[:1], similarity))
        return Candidates(given, mask[:, :rows].T, most=None if most is None else most[None, :])
    apart = mask[:, :rows] & mask[:, :rows].T & ~constant(np.eye(rows, dtype=bool), mask)
    if direction == "query_to_query":
        return Candidates(scorer(anchors, [anchors], similarity), apart, most=limit)
    others = mask[:, rows:] & ~constant(own_documents(*mask.shape)[:, rows:], mask)
    apart = namespace(mask).concatenate([apart, others], axis=1)
    return Candidates(scorer(positives, documents, similarity), apart, most=limit)


def own_documents(rows: int, columns: int) -> np.ndarray:
    """Which of the documents are each row's own, bool [B, B + B * N]: its positive and its negatives."""
    own = np.arange(rows)
    return np.concatenate([own, np.repeat(own, (columns - rows) // rows)])[None, :] == own[:, None]


def harder(mode: str, strength: float, like: Array) -> Array:
    """What the scores of documents are multiplied by and added to their logits, [B, B + B * N] as `like` is.

    `mode` is one of HARDNESS: all negatives, those of other rows (arXiv:2503.04812, equation 5), or a row's own
    (arXiv:2509.20354, section 2.2).
    """
    rows, columns = like.shape
    own, hard = own_documents(rows, columns), np.arange(columns) >= rows
    chosen = {"all_negatives": ~own | hard, "in_batch_negatives": ~own, "hard_negatives": own & hard}[mode]
    return constant((strength * chosen).astype(np.float32), like)
