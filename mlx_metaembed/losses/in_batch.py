"""Cross entropy of in-batch candidates for any scorer, and its gradient at a tile's scores. T rows, C candidates."""

import numpy as np

from mlx_metaembed.losses.false_negatives import most_allowed
from mlx_metaembed.losses.scorers import Scorer
from mlx_metaembed.losses.tiled import over_tiles
from mlx_metaembed.xp import Array, constant, masked, namespace


def in_batch(
    scorer: Scorer,
    own: Array,
    mask: Array,
    temperature: float,
    margin: float | None,
    ratio: float | None,
    *,
    back: bool,
) -> Array:
    """InfoNCE of a scorer's rows among its columns, where row i's own column is i and always counts.

    `own` [R] are the scores of each anchor with its own positive. With `back` the rows are positives and the columns
    anchors, as `turned` makes them of the scores; `mask` stays [anchors, candidates].
    """
    most = most_allowed(own, margin, ratio)

    def on_scores(part: slice, scores: list[Array]) -> tuple[Array, list[Array]]:
        counted, is_own = candidates(part, scores[0], mask[:, part].T if back else mask[part])
        if most is not None:
            counted = (counted & (scores[0] <= (most[None, :] if back else most[part, None]))) | is_own
        target = namespace(own).astype(is_own, namespace(own).float32)
        value, at = soft_cross_entropy(masked(scores[0] / temperature, counted), target)
        rows = scorer.rows.shape[0]
        return value / rows, [at / (temperature * rows)]

    return over_tiles([scorer], on_scores)


def candidates(part: slice, scores: Array, mask: Array) -> tuple[Array, Array]:
    """Which candidates of a tile's rows count, its own always, and which is its own: bool [T, C] both."""
    numbers = np.arange(scores.shape[1], dtype=np.int32)
    is_own = constant(numbers[part, None] == numbers[None, :], scores)
    return mask | is_own, is_own


def soft_cross_entropy(scores: Array, target: Array) -> tuple[Array, Array]:
    """The sum over rows of -sum(target * log softmax(scores)), targets summing to 1, and its gradient [T, C]."""
    xp = namespace(scores)
    peak = xp.max(scores, axis=1, keepdims=True)
    powers = xp.exp(scores - peak)
    total = xp.sum(powers, axis=1, keepdims=True)
    log_total = xp.log(total) + peak
    # Where the target is 0 the score may be the least of all numbers: its product with 0 is 0.
    return xp.sum(log_total) - xp.sum(target * scores), powers / total - target
