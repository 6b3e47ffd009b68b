"""Which optimizer a recipe takes, and the numbers that change with the step: learning rate, decay, corrections.

The arithmetic lies in `adamw.py`, `adamw_8bit.py` and `adafactor.py`: one text for both engines.
"""

from collections.abc import Sequence

from mlx_metaembed.folder.parameters import OBJECTIVES
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.optimizers import adafactor, adamw, adamw_8bit
from mlx_metaembed.training.schedule import factor

RULES = {"adamw": adamw, "adamw_8bit": adamw_8bit, "adafactor": adafactor}


class Optimizer:
    """A recipe's rule for one step (see engine.Rule): heads have their own rate, vectors (biases, norms) no decay.

    `heads` is what the names of all parameters begin with that learn at the heads' rate.
    """

    def __init__(self, recipe: Recipe, *, step: int, steps: int, heads: tuple[str, ...] = ("heads.",)):
        rule = RULES[recipe.optimizer]
        self._recipe, self._corrections, self._heads = recipe, rule.corrections(step), heads
        self._factor = factor(recipe.lr_schedule, step=step, steps=steps, warmup_ratio=recipe.warmup_ratio)
        self.by_rows, self.kernel, self.step = rule.BY_ROWS, rule.KERNEL, step
        self.initial, self.apply = rule.initial, rule.apply

    @property
    def learning_rate(self) -> float:
        """The trunk's, or where it does not train the heads'."""
        return self._rate(at_heads=self._recipe.train == "heads")

    def scalars(self, name: str, shape: Sequence[int]) -> list[float]:
        """Learning rate, the share of the parameter that decay leaves, then the rule's own corrections."""
        learned = name.startswith(OBJECTIVES)
        own = self._recipe.weighting_learning_rate * self._factor
        rate = own if learned else self._rate(at_heads=name.startswith(self._heads))
        decay = self._recipe.weight_decay if len(shape) > 1 else 0.0
        return [rate, 1 - rate * decay, *self._corrections]

    def _rate(self, *, at_heads: bool) -> float:
        recipe = self._recipe
        return (recipe.head_learning_rate if at_heads else recipe.learning_rate) * self._factor
