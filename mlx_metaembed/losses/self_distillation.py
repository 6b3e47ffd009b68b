"""BGE-M3's self-distillation: dense, sparse and token scores learn from their sum. arXiv:2402.03216, section 3.3."""

from dataclasses import asdict, dataclass
from typing import ClassVar

from mlx_metaembed.heads.output import cut
from mlx_metaembed.losses.maxsim import block_bytes, token_bytes
from mlx_metaembed.losses.sample import Outputs, Sample, Sizes
from mlx_metaembed.losses.scorers import Scorer, scorer
from mlx_metaembed.losses.settings import below_zero, not_above_zero, setting
from mlx_metaembed.losses.summed_scores import from_their_sum
from mlx_metaembed.losses.tiles import held_bytes
from mlx_metaembed.xp import Array


@dataclass(frozen=True)
class SelfDistillation:
    """(L + L') / 2, where L is InfoNCE of each score and of their sum, and L' cross entropy from the sum's softmax.

    The sum is dense + sparse_score_weight * sparse + tokens, at the full width. The dense terms are summed over the
    widths times their weights.
    """

    kind: ClassVar[str] = "self_distillation"
    roles: ClassVar[tuple[str, ...]] = ("anchor", "positive")
    optional: ClassVar[tuple[str, ...]] = ("negative",)
    targets: ClassVar[tuple[str, ...]] = ()
    accepts: ClassVar[tuple[str, ...]] = ("vector", "sparse", "tokens")
    several: ClassVar[bool] = True
    temperature: float = setting(0.02, "Scores are divided by it.")
    sparse_score_weight: float = setting(0.3, "Weight of the sparse score in the sum that teaches.")
    sparse_loss_weight: float = setting(0.1, "Weight of the sparse score's own losses.")

    def faults(self) -> list[str]:
        names = ("sparse_score_weight", "sparse_loss_weight")
        return not_above_zero(self, "temperature") + below_zero(self, *names)

    def held_bytes(self, sizes: Sizes) -> int:
        wide = sizes.words + sizes.features * (1 + sizes.widths)
        # Each score has matrices of its own, and all of them meet in a tile.
        matrices = 28 * (sizes.rows + sizes.candidates) * wide
        tiles = held_bytes(sizes.rows, sizes.candidates, 0, 2 + sizes.widths)
        return matrices + tiles + token_bytes(sizes) + block_bytes(sizes)

    def __call__(self, sample: Sample) -> Array:
        by = {outputs["anchor"].gives: outputs for outputs in (sample.outputs, *sample.others)}
        widths = sample.widths
        weights = list(sample.weights or [1.0] * len(widths)) if widths else [1.0]
        cuts = [{role: cut(x, width) for role, x in by["vector"].items()} for width in widths] or [by["vector"]]
        given = [_scorer(outputs) for outputs in (by["vector"], by["sparse"], by["tokens"], *cuts)]
        return from_their_sum(given, weights, sample.candidates(), **asdict(self))


def _scorer(outputs: Outputs) -> Scorer:
    columns = [outputs[role] for role in ("positive", "negative") if role in outputs]
    return scorer(outputs["anchor"], columns)
