"""How good a scheme's IDs are: how evenly digits are used, how many texts share an ID, what IDs keep of the vectors.

n texts of d digits, vectors [n, D].
"""

import numpy as np

from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.evaluate.similarity_kept import neighbours_kept
from mlx_metaembed.search.exact import score_blocks, top
from mlx_metaembed.semantic_ids.scheme import Scheme

PAIRS = 100_000
ASKED, NEIGHBOURS = 1_000, 10
"""Texts whose neighbours are compared, and how many of each."""


def usage(ids: np.ndarray, scheme: Scheme) -> list[dict]:
    """A row a digit: its levels, those that some text has, and exp of the entropy in nats (`perplexity`)."""
    rows = []
    for at, digit in enumerate(scheme.digits):
        counts = np.bincount(ids[:, at], minlength=digit.levels)
        rows.append({"digit": at + 1, "name": digit.name, "kind": digit.kind, "levels": digit.levels})
        rows[-1] |= {"used": int((counts > 0).sum()), "perplexity": perplexity(counts)}
    return rows


def perplexity(counts: np.ndarray) -> float:
    """exp of the entropy of counts: how many levels, used alike, would be as even."""
    shares = counts[counts > 0] / counts.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def prefixes(ids: np.ndarray, vectors: np.ndarray, seed: int = 0) -> list[dict]:
    """A row for each length of a prefix: distinct prefixes, the share of texts that share theirs with another text,
    the most texts of one, and `cohesion`: the mean cosine of two texts with the same prefix less that of any two.
    """
    random, rows = np.random.default_rng(seed), []
    whole = unit(vectors)
    drawn = random.integers(0, len(ids), (2, min(PAIRS, 50 * len(ids))))
    any_two = float(np.einsum("nd,nd->n", whole[drawn[0]], whole[drawn[1]])[drawn[0] != drawn[1]].mean())
    for length in range(1, ids.shape[1] + 1):
        _, groups, counts = np.unique(ids[:, :length], axis=0, return_inverse=True, return_counts=True)
        groups = groups.reshape(-1)
        row = {"digits": length, "distinct": len(counts), "shared": float((counts[groups] > 1).mean())}
        rows.append(row | {"largest": int(counts.max()), "cohesion": _cohesion(whole, groups, counts, any_two)})
    return rows


def _cohesion(whole: np.ndarray, groups: np.ndarray, counts: np.ndarray, any_two: float) -> float | None:
    """The mean cosine over all pairs inside of groups, by the lengths of their sums, less that of any two."""
    pairs = float(np.sum(counts * (counts - 1.0)))
    if not pairs:
        return None
    order = np.argsort(groups, kind="stable")
    sums = np.add.reduceat(whole[order].astype(np.float64), np.concatenate([[0], np.cumsum(counts)[:-1]]), axis=0)
    return float((np.sum(sums**2) - len(whole)) / pairs - any_two)


def kept(scheme: Scheme, vectors: np.ndarray, ids: np.ndarray, seed: int = 0) -> float:
    """The share of texts' ten nearest others, by cosine, that are found too where the others are their IDs' vectors."""
    count = min(NEIGHBOURS, len(vectors) - 1)
    asked = np.sort(np.random.default_rng(seed).permutation(len(vectors))[:ASKED])
    ranked = [_others(vectors[asked], side, asked, count) for side in (vectors, scheme.decode(ids))]
    return neighbours_kept(*ranked)


def _others(queries: np.ndarray, stored: np.ndarray, own: np.ndarray, count: int) -> np.ndarray:
    """The nearest of what is stored [Q, count] but for each query's own row."""
    found, start = [], 0
    for scores in score_blocks(queries, stored, similarity="cosine"):
        scores[np.arange(len(scores)), own[start : start + len(scores)]] = -np.inf
        found.append(top(scores, count))
        start += len(scores)
    return np.concatenate(found)
