"""Two steps of `metaembed train` on a random model of a shape: planned bytes, peak bytes, tokens a second."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks import program, rows
from benchmarks.memory import models
from benchmarks.memory.texts import texts, write
from benchmarks.process import ROOT
from mlx_metaembed import folder as folders
from mlx_metaembed.export import mlx
from mlx_metaembed.recipe import Recipe, read
from mlx_metaembed.training import Callbacks, train

given = program.settings(model=str, part=1, words=0, columns=2, length=512, bits=0, recipe="", settings=str)
settings = json.loads(given.settings)
with tempfile.TemporaryDirectory() as work:
    words = rows.model() if given.part == 1 else None
    config = models.config(given.model, part=given.part, words=given.words)
    masked = given.recipe == "splade"
    model = models.write(Path(work) / "model", config, length=given.length, tokenizer=words, masked=masked)
    if given.bits:
        mlx.export(folders.read(model), Path(work) / "packed", bits=given.bits)
        model = Path(work) / "packed"
    data = Path(work) / "rows.jsonl"
    count = settings["batch_size"] * given.columns
    write(data, texts(count, given.length, numbers=words is None), given.columns)
    settings |= {"model": str(model), "out": f"{work}/run", "iters": 2, "dtype": "float32"}
    if given.recipe:
        example = read(ROOT / "examples" / "recipes" / f"{given.recipe}.toml")
        sources = tuple(replace(table, path=str(data)) for table in example["sources"])
        recipe = Recipe(**example | settings | {"sources": sources})
    else:
        recipe = Recipe(data=str(data), **settings)
    steps: list[dict] = []
    result = train(recipe, callbacks=[Callbacks(step=steps.append)])
program.answer(
    planned=result.planned_memory_bytes,
    peak_bytes=result.peak_memory_bytes,
    tokens_per_second=steps[-1]["tokens_per_second"],
    loss=result.loss,
)
