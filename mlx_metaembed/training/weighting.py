"""How much each objective counts in the sum: by the weights of the recipe, or by weights that the run learns.

Learned, each objective has s, the logarithm of a variance, which trains beside the model, and adds
exp(-s) loss + s / 2; of squared errors, whose likelihood is a Gaussian's, (exp(-s) loss + s) / 2. Where the loss is
large the variance grows and the objective counts less. arXiv:1705.07115, sections 3.1 and 3.2.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlx_metaembed.errors import CallError
from mlx_metaembed.files import safetensors
from mlx_metaembed.folder.parameters import OBJECTIVES
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.xp import Array, namespace

if TYPE_CHECKING:
    from mlx_metaembed.training.objective import Objective

LEARNED = "uncertainty"
SUFFIX = ".log_variance"
WEIGHT = "weight/"
"""What the names of weights in metrics.jsonl begin with."""
SQUARED = ("mse", "margin_mse")
"""Losses that are squared errors."""


def parameter(objective: str) -> str:
    """The full name of an objective's log-variance."""
    return f"{OBJECTIVES}{objective}{SUFFIX}"


def initial(recipe: Recipe, objectives: Sequence["Objective"]) -> dict[str, np.ndarray]:
    """The log-variances by full name, float32 [1], as they begin: 0, which is a variance of 1. Empty for fixed ones."""
    if recipe.weighting != LEARNED:
        return {}
    return {parameter(each.name): np.zeros(1, np.float32) for each in objectives}


def faults(weighting: str, weights: Mapping[str, float]) -> list[str]:
    """What is wrong with a recipe whose weights are to be learned; `weights` are those of its tables by name."""
    if weighting != LEARNED:
        return []
    wrong = [
        f"objective {name!r}: weight = {weight:g} is fixed, and weighting = {LEARNED!r} learns it; leave it out"
        for name, weight in weights.items()
        if weight != 1
    ]
    if len(weights) < 2:
        wrong.append(f"weighting = {LEARNED!r} weighs objectives by each other, and there is one; expected two or more")
    return wrong


def term(objective: "Objective", loss: Array, parameters: Mapping[str, Array]) -> tuple[Array, Array | None]:
    """What an objective adds to the sum for its loss, and the weight of the loss in it where that is learned."""
    if parameter(objective.name) not in parameters:
        return objective.weight * loss, None
    s = parameters[parameter(objective.name)].reshape(())
    weight = namespace(s).exp(-s)
    if objective.loss.kind in SQUARED:
        weight = weight / 2
    return weight * loss + s / 2, weight


def apart(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Log-variances, and the other arrays: a checkpoint has them in one file."""
    own = {name: array for name, array in arrays.items() if _is_own(name)}
    return own, {name: array for name, array in arrays.items() if name not in own}


def _is_own(name: str) -> bool:
    return name.startswith(OBJECTIVES) and name.endswith(SUFFIX)


def read(path: Path, expected: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The log-variances of a checkpoint's state, of which `expected` has the names and shapes.

    Raises CallError where the file has others.
    """
    found = apart(safetensors.read(path))[0] if expected else {}
    if wrong := [name for name in expected if name not in found or found[name].shape != expected[name].shape]:
        raise CallError(f"{path} lacks {', '.join(wrong)}, which the run has learned; it is damaged")
    return {name: found[name] for name in expected}
