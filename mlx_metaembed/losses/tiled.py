"""Losses over in-batch candidates, for one scorer or several, tile by tile: no matrix of all scores is held.

The gradient at a tile's scores is written out by the loss and pulled back at once, so that nothing of a tile stays.
R rows, C columns, T rows a tile.
"""

from collections.abc import Callable, Sequence

from mlx_metaembed.losses.scorers import Scorer
from mlx_metaembed.xp import Array, after, namespace, stop_gradient, with_gradients

OnScores = Callable[[slice, list[Array]], tuple[Array, list[Array]]]
"""Rows of a tile and each scorer's scores [T, C] to the tile's share of the loss and its gradient at each."""


def over_tiles(scorers: Sequence[Scorer], on_scores: OnScores) -> Array:
    """The sum of what `on_scores` gives of all tiles, a scalar with the gradient at all rows and columns."""
    xp = namespace(scorers[0].rows)
    fixed = [(stop_gradient(each.rows), stop_gradient(each.columns)) for each in scorers]
    count, height = fixed[0][0].shape[0], min(each.height() for each in scorers)
    value, at_rows, at_columns, done = None, [[] for _ in scorers], [], []
    for first in range(0, count, height):
        part = slice(first, min(first + height, count))
        # A lazy engine would otherwise hold all tiles at once.
        tiles = [
            each.tile(part, after(rows[part], done), columns)
            for each, (rows, columns) in zip(scorers, fixed, strict=True)
        ]
        found, gradients = on_scores(part, [scores for scores, _ in tiles])
        pulled = [back(gradient) for (_, back), gradient in zip(tiles, gradients, strict=True)]
        value = found if value is None else value + found
        for parts, (at_tile, _) in zip(at_rows, pulled, strict=True):
            parts.append(at_tile)
        new = [at_column for _, at_column in pulled]
        at_columns = [a + b for a, b in zip(at_columns, new, strict=True)] if at_columns else new
        done = [value, *at_columns, *(at_tile for at_tile, _ in pulled)]
    rows = [xp.concatenate(parts, axis=0) for parts in at_rows]
    given = [*(each.rows for each in scorers), *(each.columns for each in scorers)]
    return with_gradients(value, given, [*rows, *at_columns])
