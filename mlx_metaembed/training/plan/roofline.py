"""The least time of a step on a chip: its operations at the peak rate, or its bytes at the peak bandwidth.

A roofline (doi:10.1145/1498765.1498785): no step is quicker, and real ones take a few times as long.
"""

import math
from dataclasses import dataclass

from mlx_metaembed.folder.quantized import plain_shape
from mlx_metaembed.training.plan.activations import Shape
from mlx_metaembed.training.plan.chips import Chip
from mlx_metaembed.training.plan.planned import Plan
from mlx_metaembed.training.trainable import LAYER


@dataclass(frozen=True)
class Step:
    """Operations and bytes of one update on a batch of the usual texts, or of longest ones where none are known."""

    operations: float
    bytes: float

    def seconds(self, chip: Chip, dtype: str) -> float:
        return max(self.operations / chip.rate(dtype), self.bytes / (1e9 * chip.bandwidth))


def step(made: Plan) -> Step:
    """The work of one step of a plan; of heads alone, what stands behind the trunk."""
    found, job = made.bytes, made.job
    recipe, stays = job.recipe, sum(found.stays.values())
    loss = 6.0 * recipe.batch_size * job.candidates * job.folder.dimensions
    if found.pooled:
        return Step(loss + 6.0 * found.trained * job.texts, 2 * stays + 2 * (found.vectors + found.loss))
    tokens, forward = job.usual_tokens, _forward(made)
    # Back through the activations always; to the weights of a matrix only where it trains.
    share = min(found.trained / max(_matrices(made), 1), 1)
    passes = (
        (1 if recipe.train == "heads" else 2 + share) + (1 if made.cached else 0) + (1 if made.checkpointing else 0)
    )
    reads = math.ceil(tokens / made.chunk_tokens) * (passes if made.cached else 1)
    activations = 2 * tokens * found.activations.kept
    # Weights for each chunk; activations out and in; gradients, masters and moments in and out.
    moved = reads * found.inference + activations + 2 * (stays - found.inference + 2 * found.sums)
    times = recipe.grad_accumulation_steps
    return Step(times * (passes * tokens * forward + loss), times * max(moved, 0.0))


def _forward(made: Plan) -> float:
    """Operations a token of one pass through the trunk: two a weight of the layers, and the scores."""
    shape = Shape.of(made.job.folder.architecture)
    return 2.0 * _matrices(made) + 4.0 * shape.layers * made.job.length * shape.query


def _matrices(made: Plan) -> int:
    """Weights of the layers' matrices."""
    folder = made.job.folder
    trunk = folder.trunk()
    return sum(
        math.prod(shape)
        for name in trunk
        if name.endswith(".weight") and LAYER.search(f".{name}")
        if len(shape := plain_shape(trunk, name, folder.quantization)) == 2
    )
