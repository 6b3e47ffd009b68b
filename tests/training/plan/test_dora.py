"""What DoRA keeps beside LoRA, in the plan: so many numbers a token, layer and hidden unit."""

from dataclasses import replace
from pathlib import Path

import pytest

from mlx_metaembed import folder as folders
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.plan import Job, Target
from mlx_metaembed.training.plan.activations import Activations
from mlx_metaembed.training.plan.parts import estimate


@pytest.mark.parametrize(("engine", "numbers"), [("mlx", 3.0), ("torch", 5.5)])
def test_what_dora_keeps_is_counted(tiny: Path, engine: str, numbers: float):
    recipe = Recipe(model=str(tiny), batch_size=8, train="lora", lora_rank=2, target_modules=("query", "value"))
    job = Job(recipe, folders.read(tiny), Target(engine, "cpu"), "float32", length=32, columns=2)

    def held(**settings: object) -> Activations:
        return estimate(replace(job, recipe=replace(recipe, **settings))).activations

    # Two layers of 32 features, in float32.
    lora, dora = held(train="lora"), held(train="dora")
    assert dora.kept == pytest.approx(lora.kept + numbers * 4 * 32 * 2) and dora.work == lora.work
    # Layers that are computed twice hold one layer's at a time.
    lora, dora = (held(train=each, checkpointing="on") for each in ("lora", "dora"))
    assert dora.kept == lora.kept and dora.work == pytest.approx(lora.work + numbers * 4 * 32)
