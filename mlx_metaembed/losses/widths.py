"""Any loss at several widths of the vectors at once, by itself at each; `info_nce` has widths of its own."""

from collections.abc import Callable, Sequence

from mlx_metaembed.xp import Array, normalize

Loss = Callable[[Array, Array, Array | None, Array], Array]


def matryoshka(loss: Loss, dims: Sequence[int], weights: Sequence[float] = ()) -> Loss:
    """The sum of `loss` over prefixes of the vectors, each cut to `dims[k]` features, normalised, times `weights[k]`.

    Matryoshka representation learning, arXiv:2205.13147, section 3; without weights every width counts 1.
    """

    def at_every_width(anchors: Array, positives: Array, negatives: Array | None, mask: Array) -> Array:
        total = None
        for width, weight in zip(dims, weights or [1.0] * len(dims), strict=True):
            cut = [None if x is None else normalize(x[..., :width]) for x in (anchors, positives, negatives)]
            value = weight * loss(*cut, mask)
            total = value if total is None else total + value
        return total

    return at_every_width
