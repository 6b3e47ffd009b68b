"""The triplet loss of vectors: each row against its own negatives, with its gradient, some rows at a time.

As in `tiles`, the gradient is written out, so that nothing of a part stays: only vectors and their gradient do.
"""

import numpy as np

from mlx_metaembed.losses.distances import DISTANCES
from mlx_metaembed.losses.tiles import TILE
from mlx_metaembed.xp import Array, after, constant, namespace, relu, softplus, stop_gradient, with_gradients


def triplet(
    anchors: Array,
    positives: Array,
    negatives: Array,
    mask: Array,
    *,
    distance: str = "cosine",
    margin: float = 0.2,
    soft_margin: bool = False,
) -> Array:
    """Each row's own negatives further than its positive: relu(d(a, p) - d(a, n) + margin), or its softplus.

    `distance` is "cosine" (1 - cosine) or "euclidean". Averaged over the negatives that count; none gives 0.
    FaceNet, arXiv:1503.03832, section 3.1; the soft margin, arXiv:1703.07737, section 2.
    """
    xp = namespace(anchors)
    rows, count = negatives.shape[:2]
    # Row i's own negatives stand in the columns from B + i * N.
    own = constant(rows + np.arange(rows * count, dtype=np.int32).reshape(rows, count), anchors)
    counted = xp.astype(xp.take_along_axis(mask, own, axis=1), xp.float32)
    total = xp.sum(counted)
    shares = counted / (total + xp.astype(total == 0, xp.float32))
    fixed = [stop_gradient(x) for x in (anchors, positives, negatives)]
    value, gradients, done = None, [], []
    for first in range(0, rows, TILE):
        part = slice(first, first + TILE)
        anchor, positive, negative = (x[part] for x in fixed)
        anchor = after(anchor[:, None, :], done)
        near, near_at_anchor, at_positive = DISTANCES[distance](anchor, positive[:, None, :])
        far, far_at_anchor, at_negative = DISTANCES[distance](anchor, negative)
        violation = near - far + margin
        found = xp.sum((softplus(violation) if soft_margin else relu(violation)) * shares[part])
        value = found if value is None else value + found
        # The slope of softplus, and that of relu.
        slope = xp.exp(violation - softplus(violation)) if soft_margin else xp.astype(violation > 0, xp.float32)
        slope = (slope * shares[part])[:, :, None]
        together = xp.sum(slope, axis=1, keepdims=True)
        at_anchor = together * near_at_anchor - xp.sum(slope * far_at_anchor, axis=1, keepdims=True)
        gradients.append([xp.squeeze(at_anchor, 1), xp.squeeze(together * at_positive, 1), -slope * at_negative])
        done = [value, *gradients[-1]]
    whole = [xp.concatenate(parts, axis=0) for parts in zip(*gradients, strict=True)]
    return with_gradients(value, [anchors, positives, negatives], whole)
