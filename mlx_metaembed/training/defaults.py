"""Settings that follow from the number of rows and from what trains: batch size, epochs and learning rate.

A recipe that names one keeps it; the others follow. docs/training.md says on which data the rule was tried.
"""

import math
from dataclasses import dataclass, replace

from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.batches import steps_per_epoch

LEFT_OPEN = ("batch_size", "epochs", "learning_rate")
"""Settings that a recipe may leave to this rule; a run's own recipe.toml has their values."""
BATCH_SIZES = (32, 64)
"""Fewest and most rows a batch that are chosen."""
BATCHES_AN_EPOCH = 10
"""A small set is cut into about so many batches, as long as a batch keeps its negatives."""
STEPS = 150
"""Steps that a run should have, where `MOST_EPOCHS` allow them."""
MOST_EPOCHS = 3
RATES = {"full": 5e-5, "lora": 5e-4, "dora": 5e-4, "heads": 5e-5}
"""Learning rate of what trains; an adapter begins as nothing, and wants ten times the rate."""
FEW_STEPS, FEW_ROWS = 100, 1_000


@dataclass(frozen=True)
class Choice:
    """A setting that the recipe left open, with its value and the reason in words."""

    name: str
    value: int | float
    reason: str

    def __str__(self) -> str:
        value = f"{self.value:g}" if isinstance(self.value, float) else f"{self.value:,}"
        return f"{self.name}: {value} (auto: {self.reason})"


def choices(recipe: Recipe, rows: int | None) -> list[Choice]:
    """What is chosen for the settings that a recipe leaves open; `rows` None is an unknown number of them."""
    found = []
    batch = recipe.batch_size
    if batch is None:
        batch, reason = _batch_size(rows)
        found.append(Choice("batch_size", batch, reason))
    if recipe.epochs is None and recipe.iters is None:
        found.append(Choice("epochs", *_epochs(rows, batch, recipe.grad_accumulation_steps)))
    # Of heads alone head_learning_rate is the rate.
    if recipe.learning_rate is None and recipe.train != "heads":
        found.append(Choice("learning_rate", RATES[recipe.train], _RATE_REASONS[recipe.train]))
    return found


def completed(recipe: Recipe, rows: int | None) -> Recipe:
    """The recipe with nothing left open."""
    chosen = {choice.name: choice.value for choice in choices(recipe, rows)}
    # Where steps are counted, epochs say nothing.
    rest = {"epochs": recipe.epochs or 1, "learning_rate": recipe.learning_rate or RATES[recipe.train]}
    return replace(recipe, **rest | chosen)


def said(recipe: Recipe, rows: int, steps: int) -> list[str]:
    """What is chosen and why, and what a user should know of so small a run, a line each."""
    return [*map(str, choices(recipe, rows)), *warnings(rows, steps)]


def warnings(rows: int, steps: int) -> list[str]:
    """What a user should know of a run that is too small to change much, a line each."""
    found = []
    if steps < FEW_STEPS:
        found.append(f"{steps} steps are few: expect a small change. More rows help most, then --epochs")
    if rows < FEW_ROWS:
        found.append(f"{rows:,} rows are few: hold some out, and compare with metaembed eval before you keep the model")
    return found


_RATE_REASONS = {
    "full": "every parameter trains",
    "lora": "an adapter wants about ten times the rate of the whole",
    "dora": "an adapter wants about ten times the rate of the whole",
}


def _batch_size(rows: int | None) -> tuple[int, str]:
    fewest, most = BATCH_SIZES
    if rows is None:
        return most, "the number of rows is not known"
    wanted = 2 ** math.floor(math.log2(max(rows / BATCHES_AN_EPOCH, 1)))
    chosen = min(max(wanted, fewest), most)
    return chosen, f"{rows:,} rows"


def _epochs(rows: int | None, batch_size: int, group_size: int) -> tuple[int, str]:
    if rows is None:
        return 1, "the number of rows is not known"
    each = max(steps_per_epoch(rows, batch_size) // group_size, 1)
    chosen = min(max(math.ceil(STEPS / each), 1), MOST_EPOCHS)
    return chosen, f"{each:,} steps an epoch"
