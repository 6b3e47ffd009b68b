"""`python -m benchmarks.probe_start FOLDER`: a class head that begins at a probe beside one that begins by chance.

FOLDER has BANKING77's train.csv and test.csv. Each arm trains the same model for as many steps on the same rows; the
frozen arm is a logistic regression on the base's vectors. The figure is the accuracy on held-out texts, an interval a
paired bootstrap over texts of the difference to the arm with the probe, the mean over the seeds.
"""

import argparse
import csv
import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import machine, rows
from benchmarks.defaults import interval
from mlx_metaembed.embedder import load
from mlx_metaembed.evaluate import classifier
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, HeadTable, ObjectiveTable
from mlx_metaembed.training import train

RESULTS = Path(__file__).parent / "results" / "probe_start.json"
TAUGHT, ASKED = 20, 10
"""Texts of each intent to learn from, and to be judged on."""
FROZEN, PROBE = "logistic regression, frozen", "probe"
ARMS = {
    FROZEN: {},
    PROBE: {"start": "probe"},
    "random": {"start": "random"},
    "random, ten times the head's rate": {"start": "random", "head_learning_rate": 1e-2},
}


def first(path: Path, most: int) -> list[dict]:
    """The first so many rows of each intent, as text and label."""
    seen: dict[str, int] = {}
    found = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            seen[row["category"]] = seen.get(row["category"], 0) + 1
            if seen[row["category"]] <= most:
                found.append({"text": row["text"], "label": row["category"]})
    return found


def right(arm: str, seed: int, taught: list[dict], asked: list[dict], given: argparse.Namespace) -> list[bool]:
    """Whether each held-out text is given its intent."""
    texts, gold = ([row[key] for row in asked] for key in ("text", "label"))
    common = {"engine": given.engine, "dtype": "float32", "max_seq_length": 48}
    if arm == FROZEN:
        model = load(given.model, **common)
        known = [row["text"] for row in taught], [row["label"] for row in taught]
        fitted = classifier.fit(model.encode(known[0]), known[1], model="base", fingerprint={})
        guessed = fitted.classify(model.encode(texts))
    else:
        settings = dict(ARMS[arm])
        with tempfile.TemporaryDirectory() as work:
            recipe = Recipe(
                **common,
                **{name: settings.pop(name) for name in list(settings) if name != "start"},
                model=given.model,
                out=f"{work}/run",
                sources=(DataTable("rows"),),
                heads=(HeadTable("intent", "classification", settings),),
                objectives=(ObjectiveTable("", "rows", "intent", "cross_entropy"),),
                batch_size=32,
                iters=given.steps,
                learning_rate=5e-5,
                seed=seed,
            )
            train(recipe, rows={"rows": taught}, callbacks=[])
            model = load(recipe.out, **common)
            labels = model.heads["intent"].labels
            guessed = [labels[at] for at in model.apply("intent", model.encode(texts)).argmax(1)]
    return [one == other for one, other in zip(guessed, gold, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="A folder with train.csv and test.csv of BANKING77.")
    parser.add_argument("--model", default=rows.MODEL)
    parser.add_argument("--steps", type=int, default=48)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--engine", default="torch")
    given = parser.parse_args()
    taught, asked = first(given.data / "train.csv", TAUGHT), first(given.data / "test.csv", ASKED)
    found: dict[str, np.ndarray] = {}
    for arm in (PROBE, *(arm for arm in ARMS if arm != PROBE)):
        seeds = 1 if arm == FROZEN else given.seeds
        found[arm] = np.array([right(arm, seed, taught, asked, given) for seed in range(seeds)]).mean(axis=0)
        difference = found[arm] - found[PROBE]
        print(f"| {arm} | {found[arm].mean():.3f} | {difference.mean():+.3f} ({spread(difference)}) |", flush=True)
    table = [
        {"start": arm, "accuracy": each.mean(), "over_probe": (each - found[PROBE]).mean()}
        for arm, each in found.items()
    ]
    for row, each in zip(table, found.values(), strict=True):
        row["over_probe_low"], row["over_probe_high"] = interval(each - found[PROBE])
    about = {"steps": given.steps, "seeds": given.seeds, "taught": len(taught), "asked": len(asked)}
    RESULTS.write_text(json.dumps(about | machine.about(None) | {"rows": table}, indent=1) + "\n", encoding="utf-8")


def spread(difference: np.ndarray) -> str:
    low, high = interval(difference)
    return f"{low:+.3f} to {high:+.3f}"


if __name__ == "__main__":
    main()
