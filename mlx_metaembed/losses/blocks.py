"""Triplets of a tile, block by block: rows by positives by negatives are never held whole.

T texts of a tile, B of the batch, t and p those of a block.
"""

from collections.abc import Callable

from mlx_metaembed.xp import Array, after, namespace

OnBlock = Callable[[Array, Array, Array, Array], tuple[Array, Array, Array, Array]]
"""Scores [t, p, 1] of some texts with some others and which of those are positives, then their scores [t, 1, B] with
all and which of those are negatives, to a sum, its gradients [t, p] and [t, B] at both, and how many terms it has."""


def over_blocks(
    scores: Array, positive: Array, negative: Array, on_block: OnBlock, most: int
) -> tuple[Array, Array, Array]:
    """The sum over a tile's triplets, its gradient at the scores [T, B], and the number of its terms; at most `most`
    triplets, or the negatives of one pair, are held."""
    xp, (rows, texts) = namespace(scores), scores.shape
    high, wide = max(1, most // (texts * texts)), max(1, min(texts, most // texts))
    value, terms, gradients, done = None, None, [], []
    for first in range(0, rows, high):
        part, at_positives, at_negatives = slice(first, first + high), [], None
        for start in range(0, texts, wide):
            some = slice(start, start + wide)
            # A lazy engine would otherwise hold all blocks at once.
            tile = after(scores[part], done)
            of = (tile[:, some, None], positive[part, some, None], tile[:, None, :], negative[part, None, :])
            found, at_some, at_all, count = on_block(*of)
            value, terms = (found, count) if value is None else (value + found, terms + count)
            at_positives.append(at_some)
            at_negatives = at_all if at_negatives is None else at_negatives + at_all
            done = [value, terms, at_some, at_negatives]
        gradients.append(xp.concatenate(at_positives, axis=1) + at_negatives)
        done = [value, terms, gradients[-1]]
    return value, xp.concatenate(gradients, axis=0), terms
