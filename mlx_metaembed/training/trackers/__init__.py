"""Trackers: places beside metrics.jsonl that a run's rows go to, each an extra of the kit, imported when it is used."""

import importlib
import importlib.util
from contextlib import ExitStack
from pathlib import Path

from mlx_metaembed.errors import missing_extra
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.callbacks import Callbacks


def require(recipe: Recipe) -> None:
    """Raise CallError where the package of a tracker is not installed; nothing is imported."""
    for name in recipe.report_to:
        found = importlib.util.find_spec(name)
        # A folder wandb/, which that package leaves where it runs, is found as well.
        if found is None or found.origin is None:
            raise missing_extra(name, name, f"report_to = {name!r}")


def begin(recipe: Recipe, out: Path, run: str, until: ExitStack) -> list[Callbacks]:
    """The callbacks of the recipe's trackers, which end with the stack `until`; `run` is the run's id.

    Raises JobError where a tracker can't begin.
    """
    modules = [importlib.import_module(f"mlx_metaembed.training.trackers.{name}") for name in recipe.report_to]
    return [module.begin(recipe, out, run, until) for module in modules]
