"""Scores of texts by their outputs: what a head gives says how two texts are compared.

Vectors and codes score by cosine or dot product, sparse vectors by dot product, over the batch's own words or as
`word_products` has it ready, tokens by MaxSim. R rows, C columns, T rows a tile, N candidates of a row's own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from mlx_metaembed.heads.output import Output, WordOutput
from mlx_metaembed.losses.maxsim import MaxSim
from mlx_metaembed.losses.own_maxsim import own_maxsim
from mlx_metaembed.losses.sparse_scores import max_per_word, token_indexes
from mlx_metaembed.xp import Array, constant, namespace, normalize

PullBack = Callable[[Array], tuple[Array, Array]]
"""The gradient at a tile's scores [T, C] to those at its rows and at all columns."""


class Scorer(Protocol):
    """All rows against all columns, a tile at a time."""

    rows: Array
    columns: Array

    def height(self) -> int:
        """Rows that a tile should have at most."""

    def tile(self, part: slice, rows: Array, columns: Array) -> tuple[Array, PullBack]:
        """Scores [T, C] of some rows, given as `rows`, and the written way back."""


@dataclass(frozen=True)
class DotProducts:
    """Rows [R, D] and columns [C, D] by dot product."""

    rows: Array
    columns: Array

    def height(self) -> int:
        return 128

    def tile(self, part: slice, rows: Array, columns: Array) -> tuple[Array, PullBack]:
        xp = namespace(rows)
        return xp.matmul(rows, columns.T), lambda at: (xp.matmul(at, columns), xp.matmul(at.T, rows))


@dataclass(frozen=True)
class Given:
    """Scores [R, C] that are there, as `rows`; `columns` is one number that nothing depends on."""

    rows: Array
    columns: Array

    def height(self) -> int:
        return 128

    def tile(self, part: slice, rows: Array, columns: Array) -> tuple[Array, PullBack]:
        return rows, lambda at: (at, namespace(columns).zeros_like(columns))


def scorer(rows: Output, columns: Sequence[Output], similarity: str = "cosine") -> Scorer:
    """The scorer of `rows` as queries against the texts of all `columns`, which come from the same head."""
    if rows.gives == "tokens":
        return MaxSim.of(rows, columns)
    if isinstance(rows, WordOutput):
        scores = _products(rows, np.concatenate([each.rows for each in columns]))
        return Given(scores, constant(np.zeros(1, np.float32), scores))
    queries, *documents = matrices([rows, *columns], similarity)
    return DotProducts(queries, namespace(queries).concatenate(documents, axis=0))


def turned(given: Scorer) -> Scorer:
    """The same scores with rows and columns exchanged."""
    if isinstance(given, MaxSim):
        return given.turned()
    return replace(given, rows=given.rows.T) if isinstance(given, Given) else DotProducts(given.columns, given.rows)


def own_scores(rows: Output, columns: Output, similarity: str = "cosine") -> Array:
    """Each of R rows against its own N columns, which stand together in R * N: scores [R, N]."""
    if rows.gives == "tokens":
        return own_maxsim(rows, columns)
    if isinstance(rows, WordOutput):
        xp, products, count = namespace(rows.products), rows.products, len(rows)
        pairs = rows.rows[:, None].astype(np.int64) * products.shape[1] + columns.rows.reshape(count, -1)
        return xp.take(products.reshape(-1), constant(pairs.reshape(-1), products), axis=0).reshape(pairs.shape)
    queries, documents = matrices([rows, columns], similarity)
    documents = documents.reshape(queries.shape[0], -1, queries.shape[1])
    return namespace(queries).sum(queries[:, None, :] * documents, axis=-1)


def matrices(outputs: Sequence[Output], similarity: str = "cosine") -> list[Array]:
    """Each output [n, ...] as a matrix [n, D] whose dot products are the scores; sparse ones over their own words."""
    if outputs[0].gives != "sparse":
        return [normalize(each.values) if similarity == "cosine" else each.values for each in outputs]
    if outputs[0].ids is None:
        return [each.values for each in outputs]
    indexes = token_indexes(*(each.ids for each in outputs), counted=[each.mask for each in outputs])
    return [max_per_word(each.values, index) for each, index in zip(outputs, indexes, strict=True)]


def _products(rows: WordOutput, columns: np.ndarray) -> Array:
    """The dot products [R, C] of an output's texts with those of the numbers int32 [C] among all texts."""
    xp = namespace(rows.products)
    found = xp.take(rows.products, constant(rows.rows, rows.products), axis=0)
    return xp.take(found, constant(columns, found), axis=1)
