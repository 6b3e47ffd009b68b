"""MaxSim of texts' token vectors, with a gradient that is written out; arXiv:2004.12832, section 3.3.

A query's best tokens are looked for block by block, so that nothing of all tokens by all tokens is held. Where several
tokens are the best of a text they share the gradient evenly. A text without a token that counts scores 0.
Q queries, P documents, L and M tokens of each, D features.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlx_metaembed.heads.output import Output
from mlx_metaembed.losses.sample import Sizes
from mlx_metaembed.xp import Array, after, constant, masked, namespace

MOST_PRODUCTS = 1 << 20
"""Products of two tokens that are held together, 4 MiB, and some copies of them."""


@dataclass(frozen=True)
class MaxSim:
    """Rows [R, L, D] against columns [C, M, D]; the queries are the columns where `documents_first`."""

    rows: Array
    columns: Array
    row_mask: np.ndarray
    column_mask: np.ndarray
    mean: bool = False
    documents_first: bool = False

    @classmethod
    def of(cls, rows: Output, columns: Sequence[Output]) -> "MaxSim":
        """The texts of all `columns` as documents, padded to the longest."""
        length = max(each.values.shape[1] for each in columns)
        values = namespace(rows.values).concatenate([_padded(each.values, length) for each in columns], axis=0)
        mask = np.concatenate([np.pad(each.mask, ((0, 0), (0, length - each.mask.shape[1]))) for each in columns])
        return cls(rows.values, values, rows.mask, mask, rows.mean)

    def turned(self) -> "MaxSim":
        return MaxSim(
            self.columns,
            self.rows,
            self.column_mask,
            self.row_mask,
            self.mean,
            documents_first=not self.documents_first,
        )

    def height(self) -> int:
        """Rows of a tile: against one column they fill a block."""
        return max(1, min(128, MOST_PRODUCTS // (self.rows.shape[1] * self.columns.shape[1])))

    def tile(self, part: slice, rows: Array, columns: Array) -> tuple[Array, Callable[[Array], tuple[Array, Array]]]:
        """Scores [T, C] of the rows `part`, given as `rows`, and the way back, which finds the best tokens again."""
        xp = namespace(rows)
        one = replace(self, row_mask=self.row_mask[part])
        wide = max(1, MOST_PRODUCTS // (rows.shape[0] * rows.shape[1] * columns.shape[1]))
        blocks = [slice(first, first + wide) for first in range(0, columns.shape[0], wide)]
        scores, done = [], []
        for block in blocks:
            scores.append(one._block(block, after(rows, done), columns[block])[0])
            done = [scores[-1]]

        def pull_back(at: Array) -> tuple[Array, Array]:
            at_rows, at_columns, done = None, [], []
            for block in blocks:
                _, back = one._block(block, after(rows, done), columns[block])
                new, at_block = back(at[:, block])
                at_rows = new if at_rows is None else at_rows + new
                at_columns.append(at_block)
                done = [at_rows, at_block]
            return at_rows, xp.concatenate(at_columns, axis=0)

        return xp.concatenate(scores, axis=1), pull_back

    def _block(self, block: slice, rows: Array, columns: Array) -> tuple[Array, Callable]:
        """Scores [T, c] of all rows and some columns, and the way back."""
        if self.documents_first:
            scores, back = _scored(columns, self.column_mask[block], rows, self.row_mask, self.mean)
            return scores.T, lambda at: back(at.T)[::-1]
        return _scored(rows, self.row_mask, columns, self.column_mask[block], self.mean)


def block_bytes(sizes: Sizes) -> int:
    """Bytes of one block of products with its copies on the way back, as MLX's allocator counted them."""
    return sizes.copies * 4 * min(MOST_PRODUCTS, sizes.rows * sizes.candidates * sizes.tokens**2)


def token_bytes(sizes: Sizes) -> int:
    """Bytes of the texts' token vectors, taken by role, joined and with their gradients: three and a half copies."""
    return 14 * (sizes.rows + sizes.candidates) * sizes.of_tokens


def _scored(
    queries: Array, mask: np.ndarray, documents: Array, document_mask: np.ndarray, mean: bool
) -> tuple[Array, Callable[[Array], tuple[Array, Array]]]:
    """All queries [Q, L, D] against all documents [P, M, D] as scores [Q, P], and the way back."""
    xp = namespace(queries)
    rows, columns = queries.reshape(-1, queries.shape[-1]), documents.reshape(-1, documents.shape[-1])
    shape = (queries.shape[0], queries.shape[1], documents.shape[0], documents.shape[1])
    products = xp.matmul(rows, columns.T).reshape(shape)
    # A token's best stands in the last axis, as of queries [Q, L, 1, 1] and documents [1, 1, P, M].
    best = best_tokens(products, mask[:, :, None, None], document_mask[None, None], mean, length_axis=1)

    def back(at: Array) -> tuple[Array, Array]:
        at_products = (best * at[:, None, :, None]).reshape(rows.shape[0], columns.shape[0])
        at_queries, at_documents = xp.matmul(at_products, columns), xp.matmul(at_products.T, rows)
        return at_queries.reshape(queries.shape), at_documents.reshape(documents.shape)

    return xp.sum(xp.sum(best * products, axis=3), axis=1), back


def best_tokens(products: Array, mask: np.ndarray, document_mask: np.ndarray, mean: bool, *, length_axis: int) -> Array:
    """How much each product counts in a score: 1 where it is its query token's best, shared by equal ones, else 0."""
    xp = namespace(products)
    # The masks meet on the engine and without the documents' tokens: all of them together are as many as the products.
    products = masked(products, constant(document_mask, products))
    found = xp.astype(products == xp.max(products, axis=3, keepdims=True), xp.float32)
    tokens = np.maximum(mask.sum(axis=length_axis, keepdims=True), 1) if mean else 1
    of_queries = constant((mask / tokens).astype(np.float32), products)
    of_documents = constant(document_mask.any(axis=3, keepdims=True).astype(np.float32), products)
    return found * (of_queries * of_documents / xp.sum(found, axis=3, keepdims=True))


def _padded(values: Array, length: int) -> Array:
    """Tokens [n, L, D] with zeros up to `length`."""
    more = length - values.shape[1]
    zeros = np.zeros((values.shape[0], more, values.shape[2]), np.float32)
    return namespace(values).concatenate([values, constant(zeros, values)], axis=1) if more else values
