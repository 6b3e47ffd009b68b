"""Embedding distillation: a text's vector near a teacher's of the same text."""

from dataclasses import dataclass
from typing import ClassVar

from mlx_metaembed.losses.mse import mse
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.settings import setting, unknown
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import Array, namespace, normalize


def cosine_gap(found: Array, teacher: Array) -> Array:
    """1 - cosine of the rows of two [B, D], averaged."""
    xp = namespace(found)
    return xp.mean(1 - xp.sum(normalize(found) * normalize(teacher), axis=-1))


HOW = {"cosine": cosine_gap, "mse": mse}


@dataclass(frozen=True)
class Distillation:
    """The mean over the teachers of `how` far the vector of `text` is from theirs."""

    kind: ClassVar[str] = "distillation"
    roles: ClassVar[tuple[str, ...]] = ("text",)
    optional: ClassVar[tuple[str, ...]] = ()
    targets: ClassVar[tuple[str, ...]] = ("teacher.*",)
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code")
    several: ClassVar[bool] = False
    how: str = setting("cosine", "1 - cosine, or the mean squared difference of features.", tuple(HOW))

    def faults(self) -> list[str]:
        return unknown(self, "how")

    def held_bytes(self, sizes: Sizes) -> int:
        return sizes.of_pairs() + 12 * sizes.rows * sizes.teacher_features

    def __call__(self, sample: Sample) -> Array:
        def value(sample: Sample) -> Array:
            teachers = [x for name, x in sample.targets.items() if name.startswith("teacher.")]
            found = [HOW[self.how](sample.outputs["text"].values, teacher) for teacher in teachers]
            return sum(found[1:], found[0]) / len(found)

        return at_widths(value, sample)
