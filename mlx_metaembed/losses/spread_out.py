"""Spread-out (global orthogonal) regulariser: unrelated texts should be as far apart as random directions are."""

from dataclasses import dataclass
from typing import ClassVar

from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.settings import below_zero, setting, unknown
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import Array, namespace, normalize, relu


def spread_out(vectors: Array, *, mean_weight: float = 1.0, second_moment_weight: float = 1.0) -> Array:
    """mean_weight * M1^2 + second_moment_weight * relu(M2 - 1 / D), M1 the mean cosine of two of the vectors [n, D],
    M2 that of its square.

    arXiv:1708.06320, section 3.3; sentence-transformers' GlobalOrthogonalRegularizationLoss.
    """
    xp = namespace(vectors)
    x, (texts, features) = normalize(vectors), vectors.shape
    squares, summed = xp.sum(x * x, axis=1), xp.sum(x, axis=0)
    # Cosines and features by features have the same sum of squares: the smaller one is made.
    product = xp.matmul(x.T, x) if texts > features else xp.matmul(x, x.T)
    pairs = max(texts * (texts - 1), 1)
    first = (xp.sum(summed * summed) - xp.sum(squares)) / pairs
    second = (xp.sum(product * product) - xp.sum(squares * squares)) / pairs
    return mean_weight * first * first + second_moment_weight * relu(second - 1 / features)


@dataclass(frozen=True)
class SpreadOut:
    """spread_out of the texts of each role, for a place beside another loss."""

    kind: ClassVar[str] = "spread_out"
    roles: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ("anchor", "positive", "negative", "sentence1", "sentence2", "text")
    targets: ClassVar[tuple[str, ...]] = ()
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code")
    several: ClassVar[bool] = False
    mean_weight: float = setting(1.0, "Weight of the mean cosine, squared.")
    second_moment_weight: float = setting(1.0, "Weight of the mean squared cosine above that of random directions.")
    aggregation: str = setting("mean", "Over the roles.", ("mean", "sum"))

    def faults(self) -> list[str]:
        return below_zero(self, "mean_weight", "second_moment_weight") + unknown(self, "aggregation")

    def held_bytes(self, sizes: Sizes) -> int:
        return sizes.of_pairs() + 12 * min(sizes.rows, sizes.features or sizes.rows) ** 2

    def __call__(self, sample: Sample) -> Array:
        def value(sample: Sample) -> Array:
            weights = {"mean_weight": self.mean_weight, "second_moment_weight": self.second_moment_weight}
            found = [spread_out(output.values, **weights) for output in sample.outputs.values()]
            total = sum(found[1:], found[0])
            return total / len(found) if self.aggregation == "mean" else total

        return at_widths(value, sample)
