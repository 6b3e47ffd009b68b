"""Scores of sparse vectors for a loss: dot products over the words of one batch, with a gradient at every weight.

Over a whole vocabulary of 250,000 words a batch of such scores holds gigabytes. V words of the batch, L tokens a text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.xp import Array, constant, namespace


@dataclass(frozen=True)
class TokenIndex:
    """Where the tokens of some texts stand among the words of a batch.

    `order` int32 [texts, L] sorts a text's tokens by word. `pairs` int32 [texts, L] each name for every token another
    of its word, and fold a word's tokens into its first. `first` int32 [texts, V] is that token, L where a text lacks
    the word.
    """

    order: np.ndarray
    pairs: tuple[np.ndarray, ...]
    first: np.ndarray


def token_indexes(*ids: np.ndarray, counted: Sequence[np.ndarray]) -> list[TokenIndex]:
    """The places of several columns of texts, ids int [texts, L] each, among the words of them all.

    `counted` bool [texts, L] says for each column which tokens count: real ones that are not special. V is the number
    of their distinct ids.
    """
    vocabulary = np.unique(np.concatenate([each[mask] for each, mask in zip(ids, counted, strict=True)]))
    return [_token_index(each, mask, vocabulary) for each, mask in zip(ids, counted, strict=True)]


def sparse_scores(queries: Array, documents: Array, of_queries: TokenIndex, of_documents: TokenIndex) -> Array:
    """Weights of tokens [Q, L] and [P, M] to dot products [Q, P] over the words; a word's largest weight counts.

    Weights are not below 0, and those of tokens that do not count are left out.
    SPLADE's score (arXiv:2109.10086, section 3.1) and BGE-M3's lexical one (arXiv:2402.03216, section 3.2).
    """
    return namespace(queries).matmul(max_per_word(queries, of_queries), max_per_word(documents, of_documents).T)


def max_per_word(weights: Array, at: TokenIndex) -> Array:
    """The largest weight of every word in every text [texts, V]; words that a text lacks weigh 0."""
    xp = namespace(weights)
    weights = xp.take_along_axis(weights, constant(at.order, weights), axis=1)
    for other in at.pairs:
        more = xp.take_along_axis(weights, constant(other, weights), axis=1)
        weights = xp.where(more > weights, more, weights)
    weights = xp.concatenate([weights, xp.zeros_like(weights[:, :1])], axis=1)
    return xp.take_along_axis(weights, constant(at.first, weights), axis=1)


def _token_index(ids: np.ndarray, counted: np.ndarray, vocabulary: np.ndarray) -> TokenIndex:
    texts, length = ids.shape
    # What does not count is one word after all others.
    words = np.where(counted, np.searchsorted(vocabulary, ids), len(vocabulary))
    order = np.argsort(words, axis=1, kind="stable").astype(np.int32)
    words = np.take_along_axis(words, order, axis=1)
    here, pairs, step = np.arange(length, dtype=np.int32), [], 1
    while step < length:
        other = np.minimum(here + step, length - 1)
        same = (words[:, other] == words) & (words < len(vocabulary)) & (other > here)
        if not same.any():
            break
        pairs.append(np.where(same, other, here))
        step *= 2
    first = np.full((texts, len(vocabulary) + 1), length, np.int32)
    rows, at = np.nonzero(np.diff(words, axis=1, prepend=-1))
    first[rows, words[rows, at]] = at
    return TokenIndex(order, tuple(pairs), first[:, :-1])
