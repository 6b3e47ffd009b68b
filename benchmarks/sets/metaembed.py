"""Training with this kit: a model folder, and tokens a second."""

import json
from pathlib import Path

from benchmarks import rows
from benchmarks.sets import LEARNING_RATE, LENGTH, SETS, STEPS, Contestant, texts
from benchmarks.sets.batches import batches
from benchmarks.speed import Mark, mark, speeds
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import Callbacks, train


def trained(contestant: Contestant, name: str, own: list[texts.Row], seed: int, out: Path) -> dict[str, float]:
    """Train on a set's rows into the new folder `out`.

    The time is that of the steps and of the one tokenisation before them, without loading and saving the model.
    """
    data = out.with_suffix(".jsonl")
    data.write_text("".join(json.dumps(row) + "\n" for row in own), encoding="utf-8")
    read = [_texts(own, batch) for batch in batches(name, own, seed)]
    began = mark()
    tokens = [rows.tokens(texts, LENGTH) for texts in read]
    tokenising = tuple(now - then for now, then in zip(mark(), began, strict=True))
    shared = {
        "model": rows.MODEL,
        "data": str(data),
        "out": str(out),
        "loss": SETS[name].loss,
        "batch_size": SETS[name].batch,
        "iters": STEPS,
        "max_seq_length": LENGTH,
        "learning_rate": LEARNING_RATE,
        "dtype": "float32",
        "engine": contestant.engine,
        "seed": seed,
    }
    marks: list[Mark] = []
    result = train(Recipe(**shared | contestant.settings), callbacks=[Callbacks(step=lambda row: marks.append(mark()))])
    return speeds(tokens, marks, tokenising) | {"tokens": sum(tokens), "steps": result.steps, "loss": result.loss}


def _texts(own: list[texts.Row], batch: list[int]) -> list[str]:
    """Every text of a batch's rows."""
    return [str(text) for at in batch for role, text in own[at].items() if role != "score"]
