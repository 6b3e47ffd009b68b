"""InfoNCE over a batch of vectors, at one width or several: cosines through `tiles`, each row's own by itself."""

from collections.abc import Sequence

from mlx_metaembed.losses.false_negatives import counted, most_allowed
from mlx_metaembed.losses.tiles import cosines_of_pairs, cross_entropy
from mlx_metaembed.xp import Array, namespace, normalize


def info_nce(
    anchors: Array,
    positives: Array,
    negatives: Array | None,
    mask: Array,
    *,
    temperature: float = 0.05,
    symmetric: bool = False,
    false_negative_margin: float | None = None,
    false_negative_ratio: float | None = None,
    widths: Sequence[int] = (),
    weights: Sequence[float] = (),
) -> Array:
    """Cross entropy of each anchor's own positive among all candidates, by cosine / temperature.

    Known as InfoNCE (arXiv:1807.03748, section 2.3) and multiple negatives ranking loss (arXiv:1705.00652, section 4).
    `symmetric` averages it with the cross entropy of each positive's own anchor among all anchors. A candidate whose
    cosine exceeds the positive's by more than `false_negative_margin`, or is over `false_negative_ratio` of it, is
    taken for a false negative and left out (arXiv:2407.15831, section 3.3; arXiv:2506.05176, section 2).
    With `widths` it is the sum of the losses of the first `widths[k]` features, normalised, times `weights[k]` (1 where
    none are given): Matryoshka representation learning, arXiv:2205.13147, section 3.
    """
    xp = namespace(anchors)
    widths = widths or [anchors.shape[-1]]
    weighed = dict.fromkeys(sorted(widths), 0.0)
    for width, weight in zip(widths, weights or [1.0] * len(widths), strict=True):
        weighed[width] += weight
    widths, weights = list(weighed), list(weighed.values())
    anchors, positives = normalize(anchors[..., : widths[-1]]), normalize(positives[..., : widths[-1]])
    candidates = positives
    if negatives is not None:
        negatives = negatives.reshape(-1, negatives.shape[-1])[..., : widths[-1]]
        candidates = xp.concatenate([positives, normalize(negatives)], axis=0)
    own = [cosines_of_pairs(anchors, positives, width) / temperature for width in widths]
    margin = None if false_negative_margin is None else false_negative_margin / temperature
    most = [most_allowed(each, margin, false_negative_ratio) for each in own]

    def forward(part: slice, k: int, scores: Array) -> Array:
        return counted(mask[part], part, scores, None if most[k] is None else most[k][part, None])

    def back(part: slice, k: int, scores: Array) -> Array:
        return counted(mask[:, part].T, part, scores, None if most[k] is None else most[k][None, :])

    loss = cross_entropy(anchors, candidates, own, forward, widths, weights, temperature)
    if not symmetric:
        return loss
    return (loss + cross_entropy(positives, anchors, own, back, widths, weights, temperature)) / 2
