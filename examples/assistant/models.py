"""The three models of the assistant, each a recipe: matching, conversation flow, and several tasks at once."""

import shutil
from dataclasses import fields
from pathlib import Path

from mlx_metaembed import Recipe, train
from mlx_metaembed.files import disk
from mlx_metaembed.recipe.tables import DataTable, HeadTable, ObjectiveTable
from mlx_metaembed.training import claim

TEMPERATURE = 0.2
"""Cosines are divided by it. At .05 a loss is content with a small gap between cosines; here the gap itself counts."""


def recipes(base: str, rows: dict[str, Path], out: Path, *, steps: int, **settings: object) -> dict[str, Recipe]:
    """A recipe for each model by name, in the order in which they train."""
    common = {"iters": steps, "max_seq_length": 64, "save_every": 64, **settings}
    # Stretches of threads teach in half of the steps, and the third model begins with what the first knows.
    fewer = {"iters": max(steps // 2, 1)}
    pairs, threads, rated = (DataTable(name, str(rows[name])) for name in ("pairs", "threads", "rated"))
    matching = ObjectiveTable(
        "matching", "pairs", loss="info_nce", settings={"temperature": TEMPERATURE, "symmetric": True}
    )
    flow = ObjectiveTable("flow", "threads", loss="nt_xent", settings={"temperature": TEMPERATURE})
    quality = ObjectiveTable("quality", "rated", "quality", "mse")
    return {
        "match": Recipe(
            model=base, out=str(out / "match"), sources=(pairs,), objectives=(matching,), batch_size=32, **common
        ),
        "flow": Recipe(
            model=base, out=str(out / "flow"), sources=(threads,), objectives=(flow,), batch_size=64, **common | fewer
        ),
        # Both from the base: what the head reads in it, matching alone forgets.
        "tasks": Recipe(
            model=base,
            out=str(out / "tasks"),
            sources=(pairs, rated),
            heads=(HeadTable("quality", "regression"),),
            objectives=(matching, quality),
            weighting="uncertainty",
            multi_dataset_batch_sampler="round_robin",
            batch_size=32,
            # Batches of each set in turn.
            **common | {"iters": max(steps * 3 // 2, 2)},
        ),
    }


def trained(recipe: Recipe) -> Path:
    """The model folder of a recipe: trained, gone on with where that was interrupted, or there from the same recipe."""
    out = Path(recipe.out)
    asked, said = out.with_suffix(".json"), {each.name: repr(getattr(recipe, each.name)) for each in fields(recipe)}
    if disk.optional_json(asked) != said:
        shutil.rmtree(out, ignore_errors=True)
    disk.write_json(asked, said)
    if claim.unfinished(out):
        train(recipe, resume=True)
    elif not (out / "modules.json").is_file():
        train(recipe)
    return out
