"""Whether long runs grow: texts of mixed lengths, the last tenth of the steps against the second tenth."""

import json
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.memory import models
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import metrics, train

STEPS, ROWS = 2000, 2000
SMALL = models.BERT | {
    "pad_token_id": 0,
    "vocab_size": 1000,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
}


def creep(engine: str, steps: int = STEPS) -> dict:
    """A long run on texts of 2 to 60 words: the process's median bytes in the second and in the last tenth of it."""
    with tempfile.TemporaryDirectory() as work:
        model = models.write(Path(work) / "model", SMALL, length=64)
        random, data = np.random.default_rng(0), Path(work) / "rows.jsonl"
        with data.open("w", encoding="utf-8") as file:
            for row in range(ROWS):
                texts = [" ".join(map(str, random.integers(0, 900, random.integers(2, 60)))) for _ in range(2)]
                file.write(json.dumps({"anchor": f"{texts[0]} {row}", "positive": texts[1]}) + "\n")
        recipe = Recipe(model=str(model), data=str(data), out=f"{work}/run", engine=engine, iters=steps, batch_size=16)
        result = train(recipe)
        held = [row["footprint_bytes"] for row in metrics.read(metrics.path_in(Path(work) / "run"))]
    tenth = len(held) // 10
    early, late = median(held[tenth : 2 * tenth]), median(held[-tenth:])
    return {
        "engine": engine,
        "steps": steps,
        "second_tenth": early,
        "last_tenth": late,
        "growth": late / early - 1,
        "shapes": result.shapes,
    }
