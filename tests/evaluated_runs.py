"""Rows to measure a tiny model on while it trains, and a run whose best step is neither its first nor its last."""

import json
from pathlib import Path

import numpy as np
from runs import metrics, recipe
from tiny import TEXTS

from mlx_metaembed.recipe import Recipe


def written(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def held_out(folder: Path, metric: str) -> Path:
    """Rows of the kind that a metric is for, none of whose texts stands in the fixture `pairs`."""
    random, words = np.random.default_rng(3), " ".join(TEXTS).split()
    one, two = ([" ".join(random.choice(words, 4 + row % 12)) for row in range(24)] for _ in range(2))
    rows = list(zip(one, two, range(24), strict=True))
    if metric == "spearman":
        made = [{"sentence1": a, "sentence2": b, "score": n % 7} for a, b, n in rows]
    elif metric == "accuracy":
        made = [{"text": a, "label": f"l{n % 3}"} for a, _, n in rows]
    else:
        made = [{"anchor": a, "positive": b} for a, b, _ in rows]
    return written(folder / f"{metric}.jsonl", made)


def evaluated(tiny: Path, pairs: Path, out: Path, rows: Path, **settings) -> Recipe:
    return recipe(tiny, pairs, out, **{"eval_data": str(rows), "eval_steps": 2, "fsq": "", **settings})


def falling(tiny: Path, pairs: Path, out: Path, **settings) -> Recipe:
    """Ten steps of which an early one is the best: the learning rate is too high."""
    rows = held_out(out.parent, "spearman")
    settings = {"learning_rate": 0.02, "eval_steps": 1, "save_every": 100, "save_total_limit": 1, **settings}
    return evaluated(tiny, pairs, out, rows, **settings)


def evaluations(out: Path) -> dict[int, dict[str, float]]:
    """What the log has of each step that was evaluated."""
    rows = {row["step"]: {name: row[name] for name in row if name.startswith("eval/")} for row in metrics(out)}
    return {step: found for step, found in rows.items() if found}


def best_of(out: Path) -> int:
    found = {step: each["eval/spearman"] for step, each in evaluations(out).items() if step}
    return max(found, key=found.get)
