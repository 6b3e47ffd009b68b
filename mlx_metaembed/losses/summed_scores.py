"""Scores that learn from their sum, tile by tile: what BGE-M3's self-distillation minimises."""

from collections.abc import Sequence

from mlx_metaembed.losses.in_batch import candidates, soft_cross_entropy
from mlx_metaembed.losses.scorers import Scorer
from mlx_metaembed.losses.tiled import over_tiles
from mlx_metaembed.xp import Array, masked, namespace


def from_their_sum(
    given: Sequence[Scorer],
    weights: Sequence[float],
    mask: Array,
    *,
    temperature: float,
    sparse_score_weight: float,
    sparse_loss_weight: float,
) -> Array:
    """(L + L') / 2 of the scores `given`: dense at the full width, sparse, tokens, then dense at each width.

    L is InfoNCE of each and of the sum of the first three, L' the cross entropy of each from that sum's softmax.
    `mask` [B, B + B * N] says which candidates count. arXiv:2402.03216, section 3.3.
    """
    rows = given[0].rows.shape[0]
    # The first, the dense score at the full width, is a term of the sum alone.
    terms = [0.0, sparse_loss_weight, 1.0, *weights]
    in_sum = [1.0, sparse_score_weight, 1.0, *(0.0 for _ in weights)]

    def on_scores(part: slice, found: list[Array]) -> tuple[Array, list[Array]]:
        counted, is_own = candidates(part, found[0], mask[part])
        xp = namespace(is_own)
        own = xp.astype(is_own, xp.float32)
        scores = [masked(x / temperature, counted) for x in found]
        summed = found[0] + sparse_score_weight * found[1] + found[2]
        value, at_sum = soft_cross_entropy(masked(summed / temperature, counted), own)
        # at_sum is softmax - own, so that the teacher's distribution is their sum.
        teacher, value, gradients = at_sum + own, value / 8, []
        for x, weight, share in zip(scores, terms, in_sum, strict=True):
            hard, at_hard = soft_cross_entropy(x, own)
            soft, at_soft = soft_cross_entropy(x, teacher)
            value = value + weight * (hard / 8 + soft / 6)
            at = weight * (at_hard / 8 + at_soft / 6) + share * at_sum / 8
            gradients.append(at / (temperature * rows))
        return value / rows, gradients

    return over_tiles(given, on_scores)
