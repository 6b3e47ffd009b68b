"""Which optimizer a recipe takes, and the numbers that change with the step: learning rate, decay, corrections.

The arithmetic lies in `adamw.py`, `adamw_8bit.py` and `adafactor.py`: one text for both engines.
"""

from collections.abc import Sequence

from mlx_metaembed.recipe import Recipe
from mlx_metaembed.train import adafactor, adamw, adamw_8bit
from mlx_metaembed.train.schedule import factor

RULES = {"adamw": adamw, "adamw_8bit": adamw_8bit, "adafactor": adafactor}


class Optimizer:
    """A recipe's rule for one step (see engine.Rule): heads have their own rate, vectors (biases, norms) no decay."""

    def __init__(self, recipe: Recipe, *, step: int, steps: int):
        rule = RULES[recipe.optimizer]
        self._recipe, self._corrections = recipe, rule.corrections(step)
        self._factor = factor(recipe.lr_schedule, step=step, steps=steps, warmup_ratio=recipe.warmup_ratio)
        self.by_rows, self.initial, self.apply = rule.BY_ROWS, rule.initial, rule.apply

    @property
    def learning_rate(self) -> float:
        return self._recipe.learning_rate * self._factor

    def scalars(self, name: str, shape: Sequence[int]) -> list[float]:
        """Learning rate, the share of the parameter that decay leaves, then the rule's own corrections."""
        recipe = self._recipe
        rate = (recipe.head_learning_rate if name.startswith("heads.") else recipe.learning_rate) * self._factor
        decay = recipe.weight_decay if len(shape) > 1 else 0.0
        return [rate, 1 - rate * decay, *self._corrections]
