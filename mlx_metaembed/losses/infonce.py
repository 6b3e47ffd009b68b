"""InfoNCE of any head: each anchor's own positive among all candidates of the batch."""

from dataclasses import dataclass
from typing import ClassVar

from mlx_metaembed.losses.in_batch import in_batch
from mlx_metaembed.losses.info_nce_of_vectors import info_nce
from mlx_metaembed.losses.maxsim import block_bytes, token_bytes
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.scorers import own_scores, scorer, turned
from mlx_metaembed.losses.settings import below_zero, not_above_zero, not_finite, setting, similarity, unknown
from mlx_metaembed.losses.tiles import held_bytes
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import Array


@dataclass(frozen=True)
class InfoNce:
    """Cross entropy of the own positive by score / temperature; arXiv:1807.03748, section 2.3."""

    kind: ClassVar[str] = "info_nce"
    roles: ClassVar[tuple[str, ...]] = ("anchor", "positive")
    optional: ClassVar[tuple[str, ...]] = ("negative",)
    targets: ClassVar[tuple[str, ...]] = ()
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code", "sparse", "tokens")
    several: ClassVar[bool] = False
    temperature: float = setting(0.05, "Scores are divided by it.")
    symmetric: bool = setting(False, "Also from positive to anchor.")
    false_negative_margin: float | None = setting(None, "Leave out candidates that beat the positive by more.")
    false_negative_ratio: float | None = setting(None, "Leave out candidates over this share of the positive's score.")
    similarity: str = similarity()

    def faults(self) -> list[str]:
        found = not_above_zero(self, "temperature") + not_finite(self, "false_negative_margin")
        return found + below_zero(self, "false_negative_ratio") + unknown(self, "similarity")

    def held_bytes(self, sizes: Sizes) -> int:
        tokens = token_bytes(sizes) + block_bytes(sizes) if sizes.tokens > 1 else 0
        wide = 0 if tokens else sizes.words or sizes.features
        return held_bytes(sizes.rows, sizes.candidates, wide, sizes.widths) + tokens

    def __call__(self, sample: Sample) -> Array:
        dense = sample.outputs["anchor"].gives in ("vector", "code") and self.similarity == "cosine"
        return self._of_cosines(sample) if dense else at_widths(self._of_scores, sample)

    def _of_cosines(self, sample: Sample) -> Array:
        options = {name: getattr(self, name) for name in ("temperature", "symmetric")}
        options |= {name: getattr(self, name) for name in ("false_negative_margin", "false_negative_ratio")}
        anchors, positives = (sample.outputs[role].values for role in ("anchor", "positive"))
        sizes = {"widths": sample.widths, "weights": sample.weights}
        given = (anchors, positives, sample.shaped_negatives(), sample.candidates())
        return info_nce(*given, **options, **sizes)

    def _of_scores(self, sample: Sample) -> Array:
        anchors, positives = sample.outputs["anchor"], sample.outputs["positive"]
        columns = [sample.outputs[role] for role in ("positive", "negative") if role in sample.outputs]
        own = own_scores(anchors, positives, self.similarity)[:, 0]
        mask, both = sample.candidates(), []
        for back in (False, True)[: 1 + self.symmetric]:
            given = scorer(anchors, columns[:1] if back else columns, self.similarity)
            settings = (self.temperature, self.false_negative_margin, self.false_negative_ratio)
            seen = mask[:, : mask.shape[0]] if back else mask
            both.append(in_batch(turned(given) if back else given, own, seen, *settings, back=back))
        return (both[0] + both[1]) / 2 if self.symmetric else both[0]
