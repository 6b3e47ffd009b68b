"""`python -m benchmarks.negatives TRAIN HELD_OUT --name NAME`: mined hard negatives beside random ones and beside none.

Each arm trains the same model for as many steps on the same rows, seed by seed, and differs in its rows' negatives
alone. Its figure is nDCG@10 a query of HELD_OUT, the mean over the seeds; an interval is a paired bootstrap over the
queries of the difference to the first two arms. `--valid` has queries by which an arm may be chosen.
"""

import argparse
import json
import tempfile
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from benchmarks import machine, rows
from benchmarks.defaults import interval
from mlx_metaembed import data
from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.data.rows import Pairs, Retrieval
from mlx_metaembed.embedder import Embedder, load
from mlx_metaembed.evaluate.retrieval import by_query
from mlx_metaembed.mining.run import mine
from mlx_metaembed.mining.settings import Settings
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.search import source
from mlx_metaembed.search.exact import rankings, score_blocks
from mlx_metaembed.training import train

RESULTS = Path(__file__).parent / "results" / "negatives.json"
ARMS = ("in-batch", "random", "mined")
"""An arm is one of these words, and settings of `mine` or `train` behind it: `mined range_min=10 negatives=2`."""
MEASURE = "ndcg@10"


class Data:
    """The training rows, the corpus that negatives come from, and the queries that are measured."""

    def __init__(self, given: argparse.Namespace):
        self.path, self.rows = given.train, data.read(given.train, training=True)
        self.corpus = source.read(given.corpus) if given.corpus else None
        names = {"valid": given.valid, "test": given.held_out} if given.valid else {"test": given.held_out}
        self.held = {name: _task(path) for name, path in names.items()}

    def with_negatives(self, model: Embedder, settings: Settings, work: Path, cache: Path) -> list[dict]:
        """The training rows, each with the negatives that were mined for it, none where there were none."""
        own = {"corpus": self.corpus, "add_positives": self.corpus is not None, "cache": cache}
        mine(model, self.rows, work, settings, **own)
        lines = [json.loads(line) for line in work.read_text(encoding="utf-8").splitlines()]
        found = {(line["anchor"], line["positive"]): line["negatives"] for line in lines}
        return [row | {"negatives": found.get((row["anchor"], row["positive"]), [])} for row in self.pairs()]

    def pairs(self) -> list[dict]:
        return [
            {"anchor": anchor, "positive": positive}
            for anchor, positive in zip(self.rows.anchors, self.rows.positives, strict=True)
        ]

    def measured(self, model: Embedder) -> dict[str, list[float]]:
        """nDCG@10 of each query, by part."""
        known: dict[tuple[str, ...], np.ndarray] = {}
        found = {}
        for name, task in self.held.items():
            key = tuple(task.corpus)
            if key not in known:
                known[key] = unit(model.encode(task.corpus))
            ranked, _ = rankings(score_blocks(unit(model.encode(task.queries)), known[key]), 10)
            found[name] = [round(float(value), 6) for value in by_query(ranked, task.relevant, [10])[MEASURE]]
        return found


def _task(path: str) -> Retrieval:
    found = data.read(path)
    return found.retrieval() if isinstance(found, Pairs) else found


def settings_of(arm: str, corpus: int) -> tuple[Settings | None, dict]:
    """How an arm's negatives are mined, None where it has none, and its settings of the recipe."""
    kind, *words = arm.split()
    pairs = [word.split("=") for word in words]
    given = {name: json.loads(value) if value[0] in "-.0123456789ntf" else value for name, value in pairs}
    own = {each.name for each in fields(Settings)}
    chosen = {name: value for name, value in given.items() if name in own}
    recipe = {name: value for name, value in given.items() if name not in own}
    if kind == "in-batch":
        return None, recipe
    plain = {"relative_margin": None, "sampling_strategy": "random", "range_max": corpus} if kind == "random" else {}
    return Settings(**{"num_negatives": 1, "output_format": "list"} | plain | chosen), recipe


def run(given: argparse.Namespace, held: Data, arm: str, seed: int, cache: Path) -> dict:
    """An arm with one seed: seconds of mining and training, tokens a second, and the measure of each query."""
    texts = held.corpus.texts if held.corpus else held.rows.positives
    settings, recipe = settings_of(arm, len(texts))
    common = {"engine": given.engine, "dtype": "float32", "max_seq_length": given.length}
    with tempfile.TemporaryDirectory() as work:
        began = time.perf_counter()
        lines = held.pairs()
        if settings is not None:
            model = load(given.model, **common)
            lines = held.with_negatives(model, replace(settings, seed=seed), Path(work) / "mined.jsonl", cache)
        mined = time.perf_counter() - began
        recipe = {"batch_size": given.batch, "iters": given.steps, "learning_rate": given.rate} | recipe
        made = Recipe(model=given.model, data="rows", out=f"{work}/run", seed=seed, **common, **recipe)
        result = train(made, rows={"data": lines}, callbacks=[])
        figures = held.measured(load(made.out, **common))
    about = {"arm": arm, "seed": seed, "steps": result.steps, "mining_s": mined, "training_s": result.seconds}
    return about | {"loss_last": result.loss_last, "queries": figures}


def summary(runs: list[dict], arms: list[str]) -> list[dict]:
    """A row an arm: its means over seeds and queries by part, and its differences to the first two with intervals."""
    found = []
    for arm in arms:
        own = {one["seed"]: one for one in runs if one["arm"] == arm}
        seconds = {name: float(np.mean([one[name] for one in own.values()])) for name in ("mining_s", "training_s")}
        row: dict = {"name": arm, "seeds": len(own)} | seconds
        for part in next(iter(own.values()))["queries"]:
            row[f"{part} {MEASURE}"] = float(np.mean([one["queries"][part] for one in own.values()]))
            for other in arms[:2]:
                # Of a run that is not over, the seeds that both have.
                others = {one["seed"]: one for one in runs if one["arm"] == other and one["seed"] in own}
                if other == arm or not others:
                    continue
                pairs = [(own[seed]["queries"][part], one["queries"][part]) for seed, one in others.items()]
                difference = np.mean([np.subtract(*pair) for pair in pairs], axis=0)
                name = f"{part} over {other.split()[0]}"
                low, high = interval(difference)
                row |= {name: float(difference.mean()), f"{name}_low": low, f"{name}_high": high}
        found.append(row)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", help="Rows of anchor and positive.")
    parser.add_argument("held_out", help="Rows or a BEIR folder, of other queries.")
    parser.add_argument("--valid", help="The same, by which an arm may be chosen.")
    parser.add_argument("--corpus", help="Texts to mine from. Default: the training rows' own positives.")
    parser.add_argument("--arms", nargs="+", default=ARMS, help="in-batch, random or mined, with settings behind it.")
    parser.add_argument("--name", required=True, help="Names the data in the result file.")
    parser.add_argument("--model", default=rows.MODEL)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=5e-5)
    parser.add_argument("--length", type=int, default=64, help="Tokens a text.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--engine", default="torch")
    parser.add_argument("--cache", help="A folder that keeps the vectors that are mined by.")
    given = parser.parse_args()
    held, everything = Data(given), json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    runs = everything.get(given.name, {}).get("runs", [])
    left = [(seed, arm) for seed in range(given.seeds) for arm in given.arms]
    done = {(one["seed"], one["arm"]) for one in runs}
    with tempfile.TemporaryDirectory() as work:
        for seed, arm in (each for each in left if each not in done):
            runs.append(run(given, held, arm, seed, Path(given.cache or work)))
            ran = [one["arm"] for one in runs]
            arms = list(dict.fromkeys(arm for arm in [*ARMS, *ran] if arm in ran))
            about = {"steps": given.steps, "batch": given.batch, "rate": given.rate, "tokens": given.length}
            everything[given.name] = about | machine.about(None) | {"rows": summary(runs, arms), "runs": runs}
            RESULTS.write_text(json.dumps(everything) + "\n", encoding="utf-8")
            print(arm, seed, everything[given.name]["rows"][arms.index(arm)], flush=True)


if __name__ == "__main__":
    main()
