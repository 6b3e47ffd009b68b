"""MaxSim of texts' token vectors against lists of their own, as `maxsim` has it of all against all.

The lists go by in blocks, and the gradient finds the best tokens again, so that no products stay.
R rows, N candidates of each, L and M tokens, D features; T rows and K candidates a block.
"""

from collections.abc import Callable, Iterator

import numpy as np

from mlx_metaembed.heads.output import Output
from mlx_metaembed.losses import maxsim
from mlx_metaembed.xp import Array, after, namespace, with_pull_back


def own_maxsim(rows: Output, columns: Output) -> Array:
    """Each of R rows against its own N columns, which stand together in R * N: scores [R, N]."""
    count, length = rows.values.shape[:2]
    lists = columns.mask.reshape(count, -1, columns.mask.shape[1])
    parts = list(_blocks(*lists.shape, length))

    def block(rows_of: slice, of: slice, queries: Array, documents: Array) -> tuple[Array, Callable]:
        return _scored(queries, rows.mask[rows_of], documents, lists[rows_of, of], rows.mean)

    def scores(queries: Array, documents: Array) -> Array:
        xp, found, done = namespace(queries), [], []
        for part, wide in parts:
            blocks = []
            for of in wide:
                blocks.append(block(part, of, after(queries[part], done), documents[part, of])[0])
                done = [blocks[-1]]
            found.append(xp.concatenate(blocks, axis=1))
        return xp.concatenate(found, axis=0)

    def pull_back(at: Array, queries: Array, documents: Array) -> tuple[Array, Array]:
        xp, at_rows, at_lists, done = namespace(queries), [], [], []
        for part, wide in parts:
            at_part, at_own = None, []
            for of in wide:
                _, back = block(part, of, after(queries[part], done), documents[part, of])
                new, at_block = back(at[part, of])
                at_part = new if at_part is None else at_part + new
                at_own.append(at_block)
                done = [at_part, at_block]
            at_rows.append(at_part)
            at_lists.append(xp.concatenate(at_own, axis=1))
        return xp.concatenate(at_rows, axis=0), xp.concatenate(at_lists, axis=0)

    return with_pull_back(scores, pull_back, rows.values, columns.values.reshape(*lists.shape, -1))


def _blocks(count: int, candidates: int, tokens: int, length: int) -> Iterator[tuple[slice, list[slice]]]:
    """Some rows and, for each such part, the parts of their lists; of one text with one other where those fill a
    block."""
    height = max(1, min(count, maxsim.MOST_PRODUCTS // (candidates * tokens * length)))
    wide = max(1, maxsim.MOST_PRODUCTS // (height * tokens * length))
    lists = [slice(first, min(first + wide, candidates)) for first in range(0, candidates, wide)]
    for first in range(0, count, height):
        yield slice(first, min(first + height, count)), lists


def _scored(
    queries: Array, mask: np.ndarray, documents: Array, document_mask: np.ndarray, mean: bool
) -> tuple[Array, Callable[[Array], tuple[Array, Array]]]:
    """Queries [T, L, D], each against its own of documents [T, K, M, D], as scores [T, K], and the way back."""
    xp = namespace(queries)
    lists = documents.reshape(documents.shape[0], -1, documents.shape[-1])
    shape = (*queries.shape[:2], *documents.shape[1:3])
    products = xp.matmul(queries, xp.swapaxes(lists, 1, 2)).reshape(shape)
    # A token's best stands in the last axis, as of queries [T, L, 1, 1] and documents [T, 1, K, M].
    best = maxsim.best_tokens(products, mask[:, :, None, None], document_mask[:, None], mean, length_axis=1)

    def back(at: Array) -> tuple[Array, Array]:
        at_products = (best * at[:, None, :, None]).reshape(*shape[:2], -1)
        at_lists = xp.matmul(xp.swapaxes(at_products, 1, 2), queries)
        return xp.matmul(at_products, lists), at_lists.reshape(documents.shape)

    return xp.sum(xp.sum(best * products, axis=3), axis=1), back
