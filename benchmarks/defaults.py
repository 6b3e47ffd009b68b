"""`python -m benchmarks.defaults TRAIN HELD_OUT`: what train chooses by itself beside a small grid, on the same rows.

Every row of the table is a run from the same model on the first `--rows` of TRAIN, and the nDCG@10 of HELD_OUT's pairs;
its interval is a paired bootstrap over the queries of the difference to the run with nothing chosen.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import machine, rows
from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.data.rows import Pairs
from mlx_metaembed.embedder import load
from mlx_metaembed.evaluate import bootstrap
from mlx_metaembed.evaluate.judgement import of_means
from mlx_metaembed.evaluate.retrieval import measure_ranked
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.search.exact import rankings, score_blocks
from mlx_metaembed.training import train

RESULTS = Path(__file__).parent / "results"
GRID = ("16,5e-5,3", "32,2e-5,3", "32,5e-5,3", "32,1e-4,3", "64,5e-5,3", "64,1e-4,3")
"""Rows a batch, learning rate, epochs."""
DRAWS = 2_000


def queries(model: str, task: Pairs, length: int, engine: str) -> np.ndarray:
    """nDCG@10 of each query, float64 [queries]."""
    encoder, asked = load(model, engine=engine, dtype="float32", max_seq_length=length), task.retrieval()
    vectors = [unit(encoder.encode(texts)) for texts in (asked.queries, asked.corpus)]
    ranked, _ = rankings(score_blocks(*vectors), 10)
    each = zip(ranked, asked.relevant, strict=True)
    return np.array([measure_ranked(row[None], [relevant])["ndcg@10"] for row, relevant in each])


def settings_of(words: str) -> dict:
    """`"32,5e-5,3"` as settings of a recipe."""
    batch, rate, epochs = words.split(",")
    return {"batch_size": int(batch), "learning_rate": float(rate), "epochs": int(epochs)}


def interval(differences: np.ndarray) -> tuple[float, float]:
    """95 % of the means of so many drawn again."""
    found = bootstrap.intervals(of_means({"mean": differences}), draws=DRAWS)
    return found["mean_low"], found["mean_high"]


def compare(given: argparse.Namespace) -> list[dict]:
    """A row a run: settings, steps, nDCG@10, and its difference to the defaults with an interval."""
    held = rows.read(given.held_out)
    task = Pairs(*held, [()] * len(held[0]))
    found = []
    with tempfile.TemporaryDirectory() as work:
        data = Path(work) / "rows.jsonl"
        rows.head(given.train, given.rows, data)
        before = queries(given.model, task, given.length, given.engine)
        print(f"{'untrained':32} {before.mean():.4f}", flush=True)
        defaults = before
        for number, settings in enumerate(({}, *map(settings_of, given.settings))):
            out = f"{work}/run-{number}"
            common = {"model": given.model, "data": str(data), "out": out, "engine": given.engine, "train": given.what}
            result = train(Recipe(**common, dtype="float32", max_seq_length=given.length, seed=given.seed, **settings))
            after = queries(out, task, given.length, given.engine)
            defaults = defaults if number else after
            low, high = interval(after - defaults)
            row = {
                "settings": settings,
                "steps": result.steps,
                "ndcg@10": after.mean(),
                "gain": (after - before).mean(),
            }
            found.append(row | {"over_defaults": (after - defaults).mean(), "low": low, "high": high})
            words = ", ".join(f"{name} {value:g}" for name, value in settings.items()) or "defaults"
            print(
                f"{words:32} {after.mean():.4f} {found[-1]['over_defaults']:+.4f} ({low:+.4f} to {high:+.4f})",
                flush=True,
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", help="JSON lines of anchor and positive.")
    parser.add_argument("held_out", help="The same, of other texts.")
    parser.add_argument("--rows", type=int, required=True, help="How many of the training rows are taken.")
    parser.add_argument("--settings", nargs="*", default=GRID, help="Rows a batch, rate, epochs: like 32,5e-5,3.")
    parser.add_argument("--model", default=rows.MODEL)
    parser.add_argument("--length", type=int, default=32, help="Tokens a text.")
    parser.add_argument("--engine", default="torch")
    parser.add_argument("--train", dest="what", default="full", choices=["full", "lora", "dora"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", required=True, help="Names the data, and the result file with --rows.")
    given = parser.parse_args()
    about = {"data": given.name, "rows": given.rows, "tokens": given.length} | machine.about(None)
    path = RESULTS / f"defaults-{given.name}-{given.rows}.json"
    path.write_text(json.dumps(about | {"runs": compare(given)}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
