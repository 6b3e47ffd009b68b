"""DoRA's matrices in the plan: W + B A stands whole until the way back is done."""

from dataclasses import replace
from pathlib import Path

import pytest

from mlx_metaembed import folder as folders
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.plan import Job, Target
from mlx_metaembed.training.plan.parts import estimate


@pytest.mark.parametrize(("engine", "copies"), [("mlx", 1), ("torch", 2)])
def test_the_changed_matrices_are_counted(tiny: Path, engine: str, copies: int):
    recipe = Recipe(model=str(tiny), batch_size=8, train="lora", lora_rank=2, target_modules=("query", "value"))
    job = Job(recipe, folders.read(tiny), Target(engine, "cpu"), "float32", length=32, columns=2)

    def weights(**settings: object) -> int:
        return estimate(replace(job, recipe=replace(recipe, **settings))).stays["weights"]

    # Two layers, two matrices of 32 x 32 in each, and their magnitudes.
    magnitudes = 4 * 2 * 2 * 32
    whole = copies * 4 * 2 * 2 * 32 * 32
    assert weights(train="dora") == weights(train="lora") + magnitudes + whole
    # Layers that are computed twice hold one layer's at a time.
    again = {"checkpointing": "on"}
    assert weights(train="dora", **again) == weights(train="lora", **again) + magnitudes + whole // 2
