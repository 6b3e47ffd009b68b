"""NT-Xent with many positives: each text near all texts of its label, among all texts of the batch."""

from dataclasses import dataclass
from typing import ClassVar

from mlx_metaembed.losses.labels import OfLabels
from mlx_metaembed.losses.sample import Sample
from mlx_metaembed.losses.scorers import Scorer, scorer
from mlx_metaembed.losses.settings import not_above_zero, setting, similarity, unknown
from mlx_metaembed.xp import Array, masked, namespace


def nt_xent(scores: Array, positive: Array, negative: Array, *, temperature: float) -> tuple[Array, Array, Array]:
    """For each text with a positive, the mean of -log softmax(score / temperature) over its positives among all other
    texts: the sum over the texts of a tile [T, B], its gradient, and their number.

    Supervised contrastive learning, arXiv:2004.11362, equation 2; with one positive each NT-Xent, arXiv:2002.05709.
    """
    xp = namespace(scores)
    target = xp.astype(positive, xp.float32)
    count = xp.sum(target, axis=1, keepdims=True)
    there = xp.astype(count > 0, xp.float32)
    target = target / (count + (1 - there))
    logits = masked(scores / temperature, positive | negative)
    peak = xp.max(logits, axis=1, keepdims=True)
    powers = xp.exp(logits - peak)
    total = xp.sum(powers, axis=1, keepdims=True)
    each = (
        xp.log(total) + peak - xp.sum(xp.where(positive, target * logits, xp.zeros_like(logits)), axis=1, keepdims=True)
    )
    # A text without a positive, and one that sees no other, say nothing.
    value = xp.sum(xp.where(there > 0, each, xp.zeros_like(each)))
    return value, (powers / total - target) * (there / temperature), xp.sum(there)


@dataclass(frozen=True)
class NtXent(OfLabels):
    """nt_xent of texts with a label: a thread, a topic, a class."""

    kind: ClassVar[str] = "nt_xent"
    temperature: float = setting(0.05, "Scores are divided by it.")
    similarity: str = similarity()

    def faults(self) -> list[str]:
        return not_above_zero(self, "temperature") + unknown(self, "similarity")

    def scored(self, sample: Sample) -> Scorer:
        return scorer(sample.outputs["text"], [sample.outputs["text"]], self.similarity)

    def on_labels(self, scores: Array, positive: Array, negative: Array) -> tuple[Array, Array, Array]:
        return nt_xent(scores, positive, negative, temperature=self.temperature)
