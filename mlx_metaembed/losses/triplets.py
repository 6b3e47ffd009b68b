"""The triplet loss: each row against its own negatives, with its gradient, some rows at a time.

As in `tiles`, the gradient is written out, so that nothing of a part stays: only vectors and their gradient do.
T rows a part.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mlx_metaembed.losses.pairs import list_scores, mean_of
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.settings import below_zero, setting, unknown
from mlx_metaembed.losses.tiles import TILE
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import (
    EPSILON,
    Array,
    after,
    constant,
    namespace,
    relu,
    softplus,
    stop_gradient,
    with_gradients,
)


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


def cosine_distance(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """1 - cosine [T, N] of x [T, 1, D] and y [T, N, D], and its gradients at x and y, [T, N, D] both."""
    xp = namespace(x)
    per_x, per_y = (1 / xp.sqrt(xp.sum(each * each, axis=-1, keepdims=True) + EPSILON) for each in (x, y))
    x, y = x * per_x, y * per_y
    cosine = xp.sum(x * y, axis=-1, keepdims=True)
    return 1 - xp.squeeze(cosine, -1), (cosine * x - y) * per_x, (cosine * y - x) * per_y


def euclidean_distance(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """The length [T, N] of x [T, 1, D] - y [T, N, D] and its gradients at both, which are finite where it is 0."""
    xp = namespace(x)
    difference = x - y
    length = xp.sqrt(xp.sum(difference * difference, axis=-1, keepdims=True) + EPSILON)
    return xp.squeeze(length, -1), difference / length, -difference / length


DISTANCES = {"cosine": cosine_distance, "euclidean": euclidean_distance}


@dataclass(frozen=True)
class Triplet:
    """triplet of vectors; of sparse and token outputs by their scores, where the distance is the score's opposite."""

    kind: ClassVar[str] = "triplet"
    roles: ClassVar[tuple[str, ...]] = ("anchor", "positive", "negative")
    optional: ClassVar[tuple[str, ...]] = ()
    targets: ClassVar[tuple[str, ...]] = ()
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code", "sparse", "tokens")
    several: ClassVar[bool] = False
    distance: str = setting("cosine", "Distance of vectors.", tuple(DISTANCES))
    margin: float = setting(0.2, "In units of the distance.")
    soft_margin: bool = setting(False, "Softplus instead of the hinge.")

    def faults(self) -> list[str]:
        return unknown(self, "distance") + below_zero(self, "margin")

    def held_bytes(self, sizes: Sizes) -> int:
        return sizes.of_pairs()

    def __call__(self, sample: Sample) -> Array:
        def value(sample: Sample) -> Array:
            if sample.outputs["anchor"].gives not in ("vector", "code"):
                near, far = list_scores(sample, "dot")
                violation = far - near + self.margin
                return mean_of(softplus(violation) if self.soft_margin else relu(violation), sample.own_negatives())
            given = [sample.outputs[role].values for role in ("anchor", "positive")]
            settings = {name: getattr(self, name) for name in ("distance", "margin", "soft_margin")}
            return triplet(*given, sample.shaped_negatives(), sample.candidates(), **settings)

        return at_widths(value, sample)
