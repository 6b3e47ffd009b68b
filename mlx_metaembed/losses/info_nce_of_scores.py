"""InfoNCE of any scores: a row's positives among its candidates in one direction or several, by tiles."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mlx_metaembed.losses.directions import candidates_of, harder
from mlx_metaembed.losses.in_batch import Candidates, in_batch
from mlx_metaembed.losses.sample import Sample
from mlx_metaembed.xp import Array, constant, namespace


def info_nce_of_scores(
    sample: Sample,
    *,
    temperature: float,
    symmetric: bool,
    directions: Sequence[str],
    same_anchor: str,
    hardness_strength: float,
    hardness_mode: str,
    false_negative_margin: float | None,
    false_negative_ratio: float | None,
    similarity: str,
) -> Array:
    """Cross entropy of each anchor's own positive among the candidates of all `directions`, by score / temperature.

    All four directions are GTE's improved contrastive loss (arXiv:2308.03281, section 3.3), those but `doc_to_query`
    Qwen3-Embedding's (arXiv:2506.05176, section 2). `symmetric` averages query_to_doc with doc_to_query by itself.
    With `same_anchor` = positives, rows with one anchor have all its positives, each as good as the others
    (arXiv:2004.11362, equation 2).
    """
    like = sample.candidates()
    own = constant(np.eye(*like.shape, dtype=bool), like)
    settings = {"margin": false_negative_margin, "ratio": false_negative_ratio}

    def of(direction: str) -> Candidates:
        found = candidates_of(direction, sample, similarity, **settings)
        if direction != "query_to_doc":
            return found
        positives = own
        if same_anchor == "positives":
            positives = own | same_anchors(sample, like)
        hard = harder(hardness_mode, hardness_strength, like) if hardness_strength else None
        return replace(found, positives=positives, harder=hard)

    if symmetric:
        back = replace(of("doc_to_query"), positives=own[:, : like.shape[0]])
        return (in_batch([of("query_to_doc")], temperature) + in_batch([back], temperature)) / 2
    return in_batch([of(direction) for direction in directions], temperature)


def same_anchors(sample: Sample, like: Array) -> Array:
    """Which candidates are positives of rows with each row's anchor, bool as `like` is [B, B + B * N]."""
    numbers, (rows, columns) = sample.targets["anchor_number"], like.shape
    negatives = constant(np.zeros((rows, columns - rows), bool), like)
    return namespace(like).concatenate([numbers[:, None] == numbers[None, :], negatives], axis=1)
