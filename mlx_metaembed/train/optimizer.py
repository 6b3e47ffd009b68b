"""AdamW with decoupled decay, and learning rates that depend on the step and on the parameter.

One text for both engines: pure arithmetic on a parameter, its gradient and its two moments, all float32.
"""

from collections.abc import Sequence

from mlx_metaembed.recipe import Recipe
from mlx_metaembed.train.schedule import factor
from mlx_metaembed.xp import Array, namespace

BETAS = (0.9, 0.999)
EPSILON = 1e-8


def adamw(
    parameter: Array, gradient: Array, state: Sequence[Array], *, step: int, learning_rate: float, weight_decay: float
) -> tuple[Array, list[Array]]:
    """The parameter and moments after step `step` (from 1). arXiv:1711.05101, algorithm 2, with bias correction."""
    xp = namespace(parameter)
    first, second = state or (xp.zeros_like(parameter), xp.zeros_like(parameter))
    first = first + (1 - BETAS[0]) * (gradient - first)
    second = second + (1 - BETAS[1]) * (gradient * gradient - second)
    size = learning_rate / (1 - BETAS[0] ** step)
    deviation = xp.sqrt(second) / (1 - BETAS[1] ** step) ** 0.5 + EPSILON
    return parameter * (1 - learning_rate * weight_decay) - size * first / deviation, [first, second]


class Optimizer:
    """AdamW for one step of a recipe: heads have their own rate, vectors (biases, norms) no decay."""

    def __init__(self, recipe: Recipe, *, step: int, steps: int):
        self._recipe, self._step = recipe, step
        self._factor = factor(recipe.lr_schedule, step=step, steps=steps, warmup_ratio=recipe.warmup_ratio)

    @property
    def learning_rate(self) -> float:
        return self._recipe.learning_rate * self._factor

    def __call__(
        self, name: str, parameter: Array, gradient: Array, state: Sequence[Array]
    ) -> tuple[Array, list[Array]]:
        peak = self._recipe.head_learning_rate if name.startswith("heads.") else self._recipe.learning_rate
        decay = self._recipe.weight_decay if len(parameter.shape) > 1 else 0.0
        return adamw(parameter, gradient, state, step=self._step, learning_rate=peak * self._factor, weight_decay=decay)
