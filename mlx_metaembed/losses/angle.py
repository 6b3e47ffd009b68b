"""AnglE: CoSENT on the angle of two vectors in complex space, which does not saturate as the cosine does."""

from dataclasses import dataclass
from typing import ClassVar

from mlx_metaembed.losses.cosent import cosent
from mlx_metaembed.losses.row_faults import order_faults
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.settings import not_above_zero, setting
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import Array, namespace, normalize


def angle_scores(x: Array, y: Array) -> Array:
    """|cosine + sine| [B] of rows [B, D], where the first half is the real part and the second the imaginary one.

    arXiv:2309.12871, section 3.3; sentence-transformers' pairwise_angle_sim. An odd D gets a last feature of 0.
    """
    xp = namespace(x)
    x, y = normalize(x), normalize(y)
    if x.shape[-1] % 2:
        x, y = (xp.concatenate([each, xp.zeros_like(each[:, :1])], axis=1) for each in (x, y))
    half = x.shape[-1] // 2
    sines = x[:, half:] * y[:, :half] - x[:, :half] * y[:, half:]
    return xp.abs(xp.sum(x * y, axis=-1) + xp.sum(sines, axis=-1))


@dataclass(frozen=True)
class Angle:
    """cosent on the angle_scores of sentence1 with sentence2; sentence-transformers' AnglELoss."""

    kind: ClassVar[str] = "angle"
    roles: ClassVar[tuple[str, ...]] = ("sentence1", "sentence2")
    optional: ClassVar[tuple[str, ...]] = ()
    targets: ClassVar[tuple[str, ...]] = ("score",)
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code")
    several: ClassVar[bool] = False
    least_rows: ClassVar[int] = 2
    row_faults: ClassVar = staticmethod(order_faults)
    scale: float = setting(20.0, "Scores are multiplied by it.")

    def faults(self) -> list[str]:
        return not_above_zero(self, "scale")

    def held_bytes(self, sizes: Sizes) -> int:
        return sizes.of_pairs() + 16 * sizes.rows * sizes.rows

    def __call__(self, sample: Sample) -> Array:
        def value(sample: Sample) -> Array:
            one, other = (sample.outputs[role].values for role in self.roles)
            return cosent(angle_scores(one, other), sample.targets["score"], scale=self.scale)

        return at_widths(value, sample)
