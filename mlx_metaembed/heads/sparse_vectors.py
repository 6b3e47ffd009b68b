"""Sparse vectors of texts: a few token ids with weights each, and their scores over the words that a batch shares.

NumPy alone. A row is never spread over the whole vocabulary: 250,000 columns a text are what costs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SparseVectors:
    """`ids` int32 and `weights` float32 [total], ids rising within a text; `starts` int64 [texts + 1]."""

    ids: np.ndarray
    weights: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, rows: Iterable[tuple[np.ndarray, np.ndarray]]) -> "SparseVectors":
        """From the ids and weights of each text; an id's largest weight counts, and what is not above 0 goes."""
        cleaned = [_largest(ids, weights) for ids, weights in rows]
        starts = np.zeros(len(cleaned) + 1, np.int64)
        np.cumsum([len(ids) for ids, _ in cleaned], out=starts[1:])
        ids = [ids for ids, _ in cleaned] or [np.zeros(0)]
        weights = [weights for _, weights in cleaned] or [np.zeros(0)]
        return cls(np.concatenate(ids).astype(np.int32), np.concatenate(weights).astype(np.float32), starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, text: int) -> tuple[np.ndarray, np.ndarray]:
        """The ids and weights of one text. Raises IndexError past the last."""
        if not -len(self) <= text < len(self):
            raise IndexError(text)
        part = slice(self.starts[text % len(self)], self.starts[text % len(self) + 1])
        return self.ids[part], self.weights[part]

    def heaviest(self, count: int | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
        """Each text's ids and weights, the largest first, at most `count` of them."""
        found = []
        for ids, weights in self:
            order = np.argsort(-weights, kind="stable")[:count]
            found.append((ids[order], weights[order]))
        return found

    def over(self, vocabulary: np.ndarray) -> np.ndarray:
        """The weights of the rising ids `vocabulary` [U] alone, as a float32 matrix [texts, U]."""
        found = np.zeros((len(self), len(vocabulary)), np.float32)
        places = np.searchsorted(vocabulary, self.ids)
        here = np.isin(self.ids, vocabulary)
        rows = np.repeat(np.arange(len(self)), np.diff(self.starts))
        found[rows[here], places[here]] = self.weights[here]
        return found


def scores(queries: SparseVectors, documents: SparseVectors) -> np.ndarray:
    """Dot products float32 [queries, documents], over the ids that stand on both sides.

    BGE-M3's lexical matching score (FlagEmbedding, `compute_lexical_matching_score`) and SPLADE's.
    """
    shared = np.intersect1d(queries.ids, documents.ids)
    return queries.over(shared) @ documents.over(shared).T


def named(vectors: SparseVectors, tokens: Mapping[int, str], count: int | None = None) -> list[dict[str, float]]:
    """Each text's weights by token, the largest first; `tokens` are the vocabulary's, by id.

    An id without a token, as padded vocabularies have them, is called `#id`.
    """
    return [
        {tokens.get(id, f"#{id}"): weight for id, weight in zip(ids.tolist(), weights.tolist(), strict=True)}
        for ids, weights in vectors.heaviest(count)
    ]


def _largest(ids: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ids, weights = ids[weights > 0], weights[weights > 0]
    # By id, then by weight, so that the last of an id is its largest.
    order = np.lexsort((weights, ids))
    ids, weights = ids[order], weights[order]
    last = np.append(ids[1:] != ids[:-1], True)[: len(ids)]
    return ids[last], weights[last]
