"""nDCG@10 at each width after training with this kit: InfoNCE under Matryoshka."""

import tempfile
from pathlib import Path

from benchmarks import program, rows
from benchmarks.quality import BATCH, LEARNING_RATE, LENGTH, WIDTHS
from benchmarks.quality.retrieval import examine
from mlx_metaembed.embedder import load
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import train

given = program.settings(rows=str, held_out=str, engine="torch", steps=30, seed=0)
before = examine(load(rows.MODEL, engine=given.engine, dtype="float32", max_seq_length=LENGTH).encode, given.held_out)
with tempfile.TemporaryDirectory() as work:
    data = Path(work) / "rows.jsonl"
    rows.head(given.rows, given.steps * BATCH, data)
    recipe = Recipe(
        model=rows.MODEL,
        data=str(data),
        out=f"{work}/run",
        matryoshka=WIDTHS,
        batch_size=BATCH,
        iters=given.steps,
        max_seq_length=LENGTH,
        learning_rate=LEARNING_RATE,
        weight_decay=0.0,
        dtype="float32",
        engine=given.engine,
        seed=given.seed,
    )
    result = train(recipe)
    after = examine(load(recipe.out, engine=given.engine, dtype="float32").encode, given.held_out)
program.answer(**after, before=before, steps=result.steps, loss=result.loss)
