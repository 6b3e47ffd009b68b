"""Two steps of `metaembed train` on a random model of a shape: planned bytes, peak bytes, tokens a second."""

import json
import tempfile
from pathlib import Path

from benchmarks import program, rows
from benchmarks.memory import models
from benchmarks.memory.texts import texts, write
from mlx_metaembed import folder as folders
from mlx_metaembed.export import mlx
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import Callbacks, train

given = program.settings(model=str, part=1, columns=2, length=512, bits=0, settings=str)
settings = json.loads(given.settings)
with tempfile.TemporaryDirectory() as work:
    words = rows.model() if given.part == 1 else None
    config = models.config(given.model, part=given.part)
    model = models.write(Path(work) / "model", config, length=given.length, tokenizer=words)
    if given.bits:
        mlx.export(folders.read(model), Path(work) / "packed", bits=given.bits)
        model = Path(work) / "packed"
    data = Path(work) / "rows.jsonl"
    count = settings["batch_size"] * given.columns
    write(data, texts(count, given.length, numbers=words is None), given.columns)
    recipe = Recipe(model=str(model), data=str(data), out=f"{work}/run", iters=2, dtype="float32", **settings)
    steps: list[dict] = []
    result = train(recipe, callbacks=[Callbacks(step=steps.append)])
program.answer(
    planned=result.planned_memory_bytes,
    peak_bytes=result.peak_memory_bytes,
    tokens_per_second=steps[-1]["tokens_per_second"],
    loss=result.loss,
)
