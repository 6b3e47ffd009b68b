"""How alike are the texts of two sides, from what a model gave for them: vectors, sparse weights or token vectors.

The words and the signs are sentence-transformers': larger is nearer, and distances come negated. Q queries, N
documents, D features.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.errors import CallError
from mlx_metaembed.heads import Head, SparseHead, TokenHead, sparse_vectors, token_vectors
from mlx_metaembed.heads.sparse_vectors import SparseVectors
from mlx_metaembed.search.exact import score_blocks

KINDS = {"vectors": "vectors [n, D]", "sparse": "sparse weights", "tokens": "vectors by token"}


def scores(queries: Any, documents: Any, function: str, heads: Mapping[str, Head], head: Head | None) -> np.ndarray:
    """Scores float32 [Q, N]. `function` is for vectors; `head` says what the sides are, None: their types do.

    Raises CallError for two sides of different kinds or widths.
    """
    kind = _kind(queries, documents, head)
    if kind == "sparse":
        return sparse_vectors.scores(_sparse(queries), _sparse(documents))
    if kind == "tokens":
        return token_vectors.scores(_tokens(queries), _tokens(documents), mean=_token_head(heads, head).mean)
    left, right = _vectors(queries), _vectors(documents)
    blocks = list(score_blocks(left, right, similarity=function))
    return np.concatenate(blocks) if blocks else np.zeros((0, len(right)), np.float32)


def pairwise(queries: Any, documents: Any, function: str, heads: Mapping[str, Head], head: Head | None) -> np.ndarray:
    """Scores float32 [n] of the first of each side, the second of each, and so on; the rest as in `scores`."""
    kind = _kind(queries, documents, head)
    read = {"sparse": _sparse, "tokens": _tokens, "vectors": _vectors}[kind]
    left, right = read(queries), read(documents)
    if len(left) != len(right):
        raise CallError(f"Pairs need as many on either side; found {len(left)} and {len(right)}")
    if kind == "vectors":
        return _pairs(left, right, function)
    mean = kind == "tokens" and _token_head(heads, head).mean
    found = [
        sparse_vectors.scores(SparseVectors.of([one]), SparseVectors.of([other]))
        if kind == "sparse"
        else token_vectors.scores([one], [other], mean=mean)
        for one, other in zip(left, right, strict=True)
    ]
    return np.array([each[0, 0] for each in found], np.float32)


def _pairs(left: np.ndarray, right: np.ndarray, function: str) -> np.ndarray:
    if left.shape != right.shape:
        raise CallError(f"Vectors of {left.shape[1]} and {right.shape[1]} features can't be compared")
    if function == "euclidean":
        return -np.linalg.norm(left - right, axis=1)
    if function == "manhattan":
        return -np.abs(left - right).sum(axis=1)
    if function == "cosine":
        left, right = unit(left), unit(right)
    return (left * right).sum(axis=1)


def _kind(queries: Any, documents: Any, head: Head | None) -> str:
    """Which of KINDS both sides are."""
    if head is not None:
        return "sparse" if isinstance(head, SparseHead) else "tokens" if isinstance(head, TokenHead) else "vectors"
    kinds = [_kind_of(side) for side in (queries, documents)]
    if kinds[0] != kinds[1]:
        raise CallError(f"The sides are of two kinds, {KINDS[kinds[0]]} and {KINDS[kinds[1]]}; expected one kind")
    return kinds[0]


def _kind_of(side: Any) -> str:
    if isinstance(side, SparseVectors) or (isinstance(side, tuple) and len(side) == 2):
        return "sparse"
    by_text = isinstance(side, list) and len(side) > 0 and all(getattr(each, "ndim", 0) == 2 for each in side)
    return "tokens" if by_text else "vectors"


def _token_head(heads: Mapping[str, Head], head: Head | None) -> TokenHead:
    """The head that gave vectors by token. Raises CallError where the model has none, or several."""
    found = [head] if head is not None else [each for each in heads.values() if isinstance(each, TokenHead)]
    if len(found) != 1:
        raise CallError(
            "These are vectors by token, and the model has no head that gives them; vectors are one array [n, D]"
            if not found
            else "The model has several heads that give vectors by token; say which by head="
        )
    return found[0]


def _sparse(side: Any) -> SparseVectors:
    if not isinstance(side, (SparseVectors, tuple)):
        raise CallError(f"Expected sparse weights, as encode_sparse gives them; found {type(side).__name__}")
    return SparseVectors.of([side]) if isinstance(side, tuple) else side


def _tokens(side: Any) -> list[np.ndarray]:
    found = [side] if isinstance(side, np.ndarray) else side
    if not isinstance(found, (list, tuple)) or any(getattr(each, "ndim", 0) != 2 for each in found):
        raise CallError(f"Expected vectors by token, as encode_token_vectors gives them; found {type(side).__name__}")
    return list(found)


def _vectors(side: Any) -> np.ndarray:
    """Vectors float32 [n, D] of several, or of one [D]. Raises CallError for anything else."""
    try:
        found = np.asarray(side, np.float32)
    except (TypeError, ValueError):
        found = None
    if found is None or found.ndim not in (1, 2):
        shape = "" if found is None else f" of shape {list(found.shape)}"
        raise CallError(f"Expected vectors [n, D] or one [D], as encode gives them; found {type(side).__name__}{shape}")
    return found[None] if found.ndim == 1 else found
