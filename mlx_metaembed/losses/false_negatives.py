"""False negatives: candidates that look so much like positives that they are left out, by the own positive's score.

arXiv:2407.15831, section 3.3; arXiv:2506.05176, section 2.
"""

import numpy as np

from mlx_metaembed.xp import Array, constant, namespace, stop_gradient


def most_allowed(own: Array, margin: float | None, ratio: float | None) -> Array | None:
    """The largest score that a negative of each row may have, from its own positive's [B]."""
    own = stop_gradient(own)
    if margin is None:
        return None if ratio is None else own * ratio
    return own + margin if ratio is None else namespace(own).minimum(own + margin, own * ratio)


def counted(mask: Array, part: slice, scores: Array, most: Array | None) -> Array:
    """The mask of a part of the rows without the candidates that look like positives; a row's own positive stays."""
    if most is None:
        return mask
    numbers = np.arange(scores.shape[1], dtype=np.int32)
    is_own = constant(numbers[part, None], scores) == constant(numbers[None, :], scores)
    return mask & ((scores <= most) | is_own)
