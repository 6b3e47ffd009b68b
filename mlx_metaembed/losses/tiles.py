"""Cross entropy of each row's own score among all columns, at several widths, with its gradient, tile by tile.

No automatic differentiation goes through a tile: its gradient is written out, so that nothing of it stays. A tile is
some rows and all columns, since a row's softmax is whole there: one pass gives value and gradient, where tiles of
columns need two. R rows, C columns, D features, K widths, T rows a tile.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

from mlx_metaembed.xp import EPSILON, Array, after, masked, namespace, stop_gradient, with_gradients

TILE = 128
"""Rows a tile: matrix products this high are at full speed, and a tile's matrices stay smaller than the vectors."""

Counted = Callable[[slice, int, Array], Array]
"""Rows of a tile, the number of a width and the tile's scores [T, C] to the bool mask [T, C] of what counts."""


def cross_entropy(
    rows: Array,
    columns: Array,
    own: Sequence[Array],
    counted: Counted,
    widths: Sequence[int],
    weights: Sequence[float],
    temperature: float,
) -> Array:
    """The sum over widths of weight * mean of (logsumexp of a row's scores - its own score `own[k]` [R]).

    A score is cosine / temperature. `rows` [R, D] and `columns` [C, D] are of length 1 at the last width, D; widths
    rise. One product serves all widths: a width's dot products are those of the narrower one and of the features
    between.
    """
    of_rows = [prefix_scale(rows, width) for width in widths[:-1]]
    of_columns = [prefix_scale(columns, width) for width in widths[:-1]]
    given = [rows, columns, *of_rows, *of_columns]
    shares = [weight / rows.shape[0] for weight in weights]
    fixed = [stop_gradient(x) for x in given]
    value, at_given = _tile_by_tile(fixed, [stop_gradient(x) for x in own], counted, widths, shares, temperature)
    at_own = [namespace(x).zeros_like(x) - share for x, share in zip(own, shares, strict=True)]
    return with_gradients(value, [*given, *own], [*at_given, *at_own])


def prefix_scale(x: Array, width: int) -> Array:
    """1 / length of the first `width` features of every row, [rows]."""
    xp = namespace(x)
    return 1 / xp.sqrt(xp.sum(x[:, :width] * x[:, :width], axis=-1) + EPSILON)


def cosines_of_pairs(x: Array, y: Array, width: int) -> Array:
    """The cosines [B] at a width of rows [B, D] that are of length 1."""
    found = namespace(x).sum(x[:, :width] * y[:, :width], axis=-1)
    return found if width == x.shape[-1] else found * prefix_scale(x, width) * prefix_scale(y, width)


def held_bytes(rows: int, candidates: int, features: int, widths: int) -> int:
    """Bytes that `info_nce` holds at most with its gradient, its arguments aside: B rows, C candidates, K widths.

    Copies of the vectors (normalised, gradients, the way back through normalising) and of one tile, as MLX's allocator
    counted them.
    """
    vectors = (7 + widths) * (rows + candidates) * features
    tile = (8 + 3 * widths) * min(rows, TILE) * candidates // 2
    return 4 * (vectors + tile)


def _tile_by_tile(
    given: Sequence[Array],
    own: Sequence[Array],
    counted: Counted,
    widths: Sequence[int],
    shares: Sequence[float],
    temperature: float,
) -> tuple[Array, list[Array]]:
    """The value, and its gradient at rows, columns, and the scales of both at the narrower widths."""
    xp = namespace(given[0])
    rows, columns, *scales = given
    of_rows, of_columns = scales[: len(widths) - 1], scales[len(widths) - 1 :]
    count = rows.shape[0]
    value, at_rows, at_columns, done = None, [], [], []
    for first in range(0, count, TILE):
        part = slice(first, min(first + TILE, count))
        # A lazy engine would otherwise hold all tiles at once.
        tile = after(rows[part] / temperature, done)
        left = [scale[part, None] for scale in of_rows]
        right = [scale[:, None] for scale in of_columns]
        targets = [each[part, None] for each in own]
        found, at_tile, more = _tile(tile, columns, left, right, targets, partial(counted, part), widths, shares)
        value = found if value is None else value + found
        at_rows.append(at_tile)
        at_columns = [old + new for old, new in zip(at_columns, more, strict=True)] if at_columns else more
        done = [value, *at_tile, *at_columns]
    by_rows = [xp.concatenate(parts, axis=0) for parts in zip(*at_rows, strict=True)]
    return value, [by_rows[0] / temperature, at_columns[0], *by_rows[1:], *at_columns[1:]]


def _tile(
    tile: Array,
    columns: Array,
    left: Sequence[Array],
    right: Sequence[Array],
    targets: Sequence[Array],
    counted: Callable[[int, Array], Array],
    widths: Sequence[int],
    shares: Sequence[float],
) -> tuple[Array, list[Array], list[Array]]:
    """The sum of share * (logsumexp - target) over a tile's rows [T, D], and its gradients.

    First at the tile and its scales, [T, D] and [T] each, then at the columns and theirs, [C, D] and [C] each.
    """
    xp = namespace(tile)
    segments = list(pairwise([0, *widths]))
    value, products = None, None
    at_products, at_left, at_right = [], [], []
    for k, (low, high) in enumerate(segments):
        new = xp.matmul(tile[:, low:high], columns[:, low:high].T)
        products = new if products is None else products + new
        narrow = k < len(left)
        scores = products * left[k] * right[k].T if narrow else products
        scores = masked(scores, counted(k, scores))
        peak = xp.max(scores, axis=1, keepdims=True)
        powers = xp.exp(scores - peak)
        total = xp.sum(powers, axis=1, keepdims=True)
        found = xp.sum(xp.log(total) + (peak - targets[k])) * shares[k]
        value = found if value is None else value + found
        # The gradient at the scores is powers * share.
        share = shares[k] / total
        if narrow:
            turned = powers * products
            at_left.append(xp.squeeze(xp.matmul(turned, right[k]) * share, 1))
            at_right.append(xp.squeeze(xp.matmul(turned.T, left[k] * share), 1))
            at_products.append(powers * (left[k] * share) * right[k].T)
        else:
            at_products.append(powers * share)
    # The features between two widths take part in every wider one.
    at_tile, at_columns, wider = [], [], None
    for low, high in reversed(segments):
        at_product = at_products.pop()
        wider = at_product if wider is None else wider + at_product
        at_tile.append(xp.matmul(wider, columns[:, low:high]))
        at_columns.append(xp.matmul(wider.T, tile[:, low:high]))
    at_tile, at_columns = (xp.concatenate(parts[::-1], axis=1) for parts in (at_tile, at_columns))
    return value, [at_tile, *at_left], [at_columns, *at_right]
