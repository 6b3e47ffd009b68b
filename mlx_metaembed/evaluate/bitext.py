"""Bitext mining: is the nearest sentence of the other side the one that a sentence stands beside?

`accuracy` and `f1` go from the first side to the second, as in MTEB, where F1 is the mean over the sentences that are
to be found, weighted by how often each is; `reverse_accuracy` goes back. Equal sentences are one.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate.coded import Coded
from mlx_metaembed.evaluate.judgement import Judgement, Weights
from mlx_metaembed.evaluate.rows import Translations
from mlx_metaembed.evaluate.task import Side, Task
from mlx_metaembed.search.exact import score_blocks

FIGURES = ("f1", "accuracy", "reverse_accuracy")


def judge(first: np.ndarray, second: np.ndarray, places: Sequence[tuple[int, int]], *, similarity: str) -> Judgement:
    """`f1`, `accuracy` and `reverse_accuracy` of distinct sentences [F, D], [S, D]; `places` are each pair's rows."""
    pairs = np.array(places)
    there = _nearest(first, second, similarity)[pairs[:, 0]]
    back = _nearest(second, first, similarity)[pairs[:, 1]]
    gold, right = pairs[:, 1], there == pairs[:, 1]

    def figures(weights: Weights) -> dict[str, float]:
        counts = np.ones(len(pairs)) if weights is None else weights.astype(np.float64)
        wanted, given, both = (
            np.bincount(found, each, minlength=len(second))
            for found, each in ((gold, counts), (there, counts), (gold, counts * right))
        )
        f1 = np.sum(wanted * 2 * both / np.maximum(wanted + given, 1)) / counts.sum()
        return {
            "f1": float(f1),
            "accuracy": float(counts @ right / counts.sum()),
            "reverse_accuracy": float(counts @ (back == pairs[:, 0]) / counts.sum()),
        }

    return Judgement(len(pairs), figures)


def _nearest(queries: np.ndarray, corpus: np.ndarray, similarity: str) -> np.ndarray:
    """The corpus row that is nearest to each query, int64 [Q]."""
    blocks = score_blocks(queries, corpus, similarity=similarity)
    return np.concatenate([np.argmax(scores, axis=1) for scores in blocks])


@dataclass(frozen=True)
class BitextTask(Task):
    """Sentences of two sides that stand beside each other."""

    rows: Translations
    name = "bitext"
    takes = "sentence1, sentence2, or pairs"

    @classmethod
    def names_of(cls, ks: Sequence[int]) -> tuple[str, ...]:
        return FIGURES

    @property
    def counts(self) -> dict[str, int]:
        return {"pairs": len(self.rows.places)}

    @property
    def sides(self) -> tuple[Side, Side]:
        return (self.rows.first, None), (self.rows.second, None)

    def judge(self, coded: Coded, wanted: Collection[str]) -> Judgement:
        return judge(coded.queries, coded.stored, self.rows.places, similarity=coded.similarity)

    def require_measurable(self) -> None:
        if len(self.rows.places) < 2:
            raise CallError("bitext mining needs at least 2 pairs that differ; found 1")
