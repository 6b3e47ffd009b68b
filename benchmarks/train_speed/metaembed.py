"""Training tokens a second, this kit on either engine.

The time is that of the steps and of the one tokenisation before them, without loading and saving the model.
"""

import tempfile
import time
from pathlib import Path

from benchmarks import program, rows
from benchmarks.train_speed import BATCH, LEARNING_RATE, LENGTH
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import Callbacks, train

given = program.settings(rows=str, engine="torch", steps=8)
with tempfile.TemporaryDirectory() as work:
    data = Path(work) / "rows.jsonl"
    rows.head(given.rows, given.steps * BATCH, data)
    texts = [text for column in rows.read(data) for text in column]
    began = time.perf_counter()
    tokens = rows.tokens(texts, LENGTH)
    tokenising = time.perf_counter() - began
    recipe = Recipe(
        model=rows.MODEL,
        data=str(data),
        out=f"{work}/run",
        batch_size=BATCH,
        iters=given.steps,
        max_seq_length=LENGTH,
        learning_rate=LEARNING_RATE,
        weight_decay=0.0,
        dtype="float32",
        engine=given.engine,
    )
    steps: list[dict] = []
    result = train(recipe, callbacks=[Callbacks(step=steps.append)])
seconds = tokenising + steps[-1]["elapsed_s"]
program.answer(
    tokens_per_second=tokens / seconds,
    tokens=tokens,
    seconds=seconds,
    steps=len(steps),
    padding=result.padding,
    loss=result.loss,
    device=result.device,
)
