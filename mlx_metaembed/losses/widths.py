"""Any loss at several widths of the vectors at once, by itself at each; `info_nce` has widths of its own."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from mlx_metaembed.heads.output import cut
from mlx_metaembed.losses.sample import Sample
from mlx_metaembed.xp import Array, normalize

CUT = ("vector", "tokens")
"""What Matryoshka cuts."""
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


def at_widths(loss: Callable[[Sample], Array], sample: Sample) -> Array:
    """`loss` of a sample, or the weighed sum over its widths, with vectors and tokens cut and normalised at each.

    Other outputs have one width: `loss` sees them as they are.
    """
    if not sample.widths or any(output.gives not in CUT for output in sample.outputs.values()):
        return loss(sample)
    total = None
    for width, weight in zip(sample.widths, sample.weights or [1.0] * len(sample.widths), strict=True):
        value = weight * loss(at_width(sample, width))
        total = value if total is None else total + value
    return total


def at_width(sample: Sample, width: int) -> Sample:
    """A sample with its outputs, and its teachers' vectors, cut to their first features."""
    outputs = {role: cut(output, width) for role, output in sample.outputs.items()}
    targets = {name: x[..., :width] if name.startswith("teacher.") else x for name, x in sample.targets.items()}
    return replace(sample, outputs=outputs, targets=targets, widths=(), weights=())
