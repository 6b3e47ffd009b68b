"""Peak bytes of one step on a large batch: MLX's allocator, or the whole process on torch's processor backend.

Beside it the loss and the gradient's norm, which must not depend on GradCache.
"""

import tempfile
from pathlib import Path

from benchmarks import program, rows
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import Callbacks, train

given = program.settings(rows=str, engine="torch", grad_cache="on", batch=1024, length=32, chunk_tokens=4096)
with tempfile.TemporaryDirectory() as work:
    data = Path(work) / "rows.jsonl"
    rows.head(given.rows, given.batch, data)
    recipe = Recipe(
        model=rows.MODEL,
        data=str(data),
        out=f"{work}/run",
        batch_size=given.batch,
        iters=1,
        max_seq_length=given.length,
        dtype="float32",
        engine=given.engine,
        grad_cache=given.grad_cache,
        chunk_tokens=given.chunk_tokens,
        # Only measured here: what the plain step needs is the question.
        memory="1000GB",
    )
    steps: list[dict] = []
    result = train(recipe, callbacks=[Callbacks(step=steps.append)])
program.answer(
    peak_bytes=result.peak_memory_bytes,
    loss=result.loss,
    grad_norm=steps[-1]["grad_norm"],
    seconds=steps[-1]["elapsed_s"],
    device=result.device,
)
