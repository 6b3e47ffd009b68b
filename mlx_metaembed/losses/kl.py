"""KL over lists: a teacher's distribution over each row's own positive and negatives."""

from dataclasses import dataclass
from typing import ClassVar

from mlx_metaembed.losses.pairs import list_scores
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.settings import not_above_zero, setting, similarity, unknown
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import Array, logsumexp, masked, namespace


def kl(scores: Array, teacher: Array, counted: Array) -> Array:
    """KL(softmax(teacher) || softmax(scores)) over the last axis of [B, K], where `counted`; averaged over the rows."""
    xp = namespace(scores)
    log_student, log_teacher = (
        masked(x, counted) - logsumexp(masked(x, counted), axis=1)[:, None] for x in (scores, teacher)
    )
    each = xp.exp(log_teacher) * (log_teacher - log_student)
    return xp.mean(xp.sum(xp.where(counted, each, xp.zeros_like(each)), axis=1))


@dataclass(frozen=True)
class Kl:
    """kl over [positive, own negatives], the student's scores divided by `temperature`, the teacher's by theirs."""

    kind: ClassVar[str] = "kl"
    roles: ClassVar[tuple[str, ...]] = ("anchor", "positive", "negative")
    optional: ClassVar[tuple[str, ...]] = ()
    targets: ClassVar[tuple[str, ...]] = ("positive_score", "negative_score")
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code", "sparse", "tokens")
    several: ClassVar[bool] = False
    temperature: float = setting(0.05, "The student's scores are divided by it.")
    teacher_temperature: float = setting(1.0, "The teacher's scores are divided by it.")
    similarity: str = similarity()

    def faults(self) -> list[str]:
        return not_above_zero(self, "temperature", "teacher_temperature") + unknown(self, "similarity")

    def held_bytes(self, sizes: Sizes) -> int:
        return sizes.of_pairs()

    def __call__(self, sample: Sample) -> Array:
        counted = sample.own_negatives()
        xp = namespace(counted)
        # The positive always counts.
        counted = xp.concatenate([counted[:, :1] | ~counted[:, :1], counted], axis=1)
        near, far = sample.targets["positive_score"][:, None], sample.targets["negative_score"]
        teacher = xp.concatenate([near, far], axis=1) / self.teacher_temperature

        def value(sample: Sample) -> Array:
            scores = xp.concatenate(list_scores(sample, self.similarity), axis=1)
            return kl(scores / self.temperature, teacher, counted)

        return at_widths(value, sample)
