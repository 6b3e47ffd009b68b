"""KL over in-batch candidates: teachers' distributions over all documents of the batch, by their vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mlx_metaembed.losses.held import tiles_bytes
from mlx_metaembed.losses.in_batch import candidates
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.scorers import Scorer, scorer
from mlx_metaembed.losses.settings import not_above_zero, setting, similarity, unknown
from mlx_metaembed.losses.teaching import TaughtScores, unit_vectors
from mlx_metaembed.losses.tiled import over_tiles
from mlx_metaembed.losses.tiles import TILE
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import Array, logsumexp, masked, namespace


def kl_in_batch(
    given: Scorer, taught: Sequence[TaughtScores], mask: Array, *, temperature: float, teacher_temperature: float
) -> Array:
    """KL(softmax(cosines of a teacher's / teacher_temperature) || softmax(scores / temperature)) over the candidates
    that count, averaged over the rows and the teachers; `mask` bool [R, C], row i's own column is i."""
    rows, share = given.rows.shape[0], 1 / len(taught)

    def on_scores(part: slice, found: list[Array]) -> tuple[Array, list[Array]]:
        xp = namespace(found[0])
        counted, _ = candidates(part, found[0], mask[part])
        own = _log_softmax(masked(found[0] / temperature, counted))
        value, at = 0.0, xp.exp(own)
        for each in taught:
            logs = _log_softmax(masked(each.tile(part, found[0]) / teacher_temperature, counted))
            shares = share * xp.exp(logs)
            gaps = xp.where(counted, shares * (logs - own), xp.zeros_like(own))
            value, at = value + xp.sum(xp.sum(gaps, axis=1)), at - shares
        return value / rows, [at / (temperature * rows)]

    return over_tiles([given], on_scores)


def _log_softmax(logits: Array) -> Array:
    return logits - logsumexp(logits, axis=1)[:, None]


@dataclass(frozen=True)
class KlInBatch:
    """kl_in_batch of each anchor over all positives and negatives; a row's own list alone is `kl`'s."""

    kind: ClassVar[str] = "kl_in_batch"
    roles: ClassVar[tuple[str, ...]] = ("anchor", "positive")
    optional: ClassVar[tuple[str, ...]] = ("negative",)
    targets: ClassVar[tuple[str, ...]] = ("teacher.*",)
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code", "sparse", "tokens")
    several: ClassVar[bool] = False
    any_width: ClassVar[bool] = True
    least_rows: ClassVar[int] = 2
    temperature: float = setting(0.05, "The student's scores are divided by it.")
    teacher_temperature: float = setting(0.05, "The teachers' cosines are divided by it.")
    similarity: str = similarity()

    def faults(self) -> list[str]:
        return not_above_zero(self, "temperature", "teacher_temperature") + unknown(self, "similarity")

    def held_bytes(self, sizes: Sizes) -> int:
        taught = 8 * (sizes.rows + sizes.candidates) * sizes.teacher_features
        return tiles_bytes(sizes) + taught + 16 * min(sizes.rows, TILE) * sizes.candidates

    def __call__(self, sample: Sample) -> Array:
        near = {role: unit_vectors(sample, role) for role in sample.outputs}
        documents = near["positive"]
        if "negative" in near:
            xp = namespace(documents[0])
            documents = [xp.concatenate(both, axis=0) for both in zip(documents, near["negative"], strict=True)]
        taught = list(map(TaughtScores, near["anchor"], documents))
        settings = {"temperature": self.temperature, "teacher_temperature": self.teacher_temperature}

        def value(cut: Sample) -> Array:
            given = scorer(cut.outputs["anchor"], cut.documents(), self.similarity)
            return kl_in_batch(given, taught, sample.candidates(), **settings)

        # The teachers' vectors stay whole at all widths of the model's.
        return at_widths(value, sample)
