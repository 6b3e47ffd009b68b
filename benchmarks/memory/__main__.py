"""`python -m benchmarks.memory [shapes | runs | adapters | splade | creep | passes]`: what runs hold, and the plan.

`shapes`: plans for the shapes that people ask about, from a configuration alone. `runs`: two steps of those that a
processor can run, beside its plan and beside sentence-transformers (extras torch and bench). `adapters`: the same of
LoRA, DoRA, QLoRA and heads beside full training, short texts and long, on one thread. `splade`: the same of sparse
weights, few words and many. `creep`: whether 2,000 steps of mixed lengths grow, on a small model. `passes`: what a
chunk's activations hold by form of layer, which the plan's coefficients are from. Each leaves a file in results.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine
from benchmarks.memory import runs
from benchmarks.memory.creep import STEPS, creep
from benchmarks.memory.passes import passes
from benchmarks.memory.plans import plans
from mlx_metaembed.files.sizes import format_size

RESULTS = Path(__file__).parent.parent / "results"


@dataclass(frozen=True)
class Question:
    """The columns of its table, its rows from the options and a line of progress, and a row's cells."""

    titles: tuple[str, ...]
    rows: Callable[[argparse.Namespace, Callable[[str], None]], Iterable[dict]]
    cells: Callable[[dict], list[str]]
    by_engine: bool = False
    """Whether each engine has a file of its own."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("question", choices=tuple(QUESTIONS), nargs="?", default="shapes")
    parser.add_argument("--engine", choices=("mlx", "torch"), default="mlx", help="creep, passes: which engine.")
    parser.add_argument("--steps", type=int, default=STEPS, help="creep: updates.")
    parser.add_argument(
        "--only",
        default="",
        help="runs, splade: those whose name has this in it; passes: this form of layer. Leaves no file.",
    )
    given = parser.parse_args()
    question = QUESTIONS[given.question]
    name = f"memory_{given.question}" + (f"-{given.engine}" if question.by_engine else "")
    about, rows = {"question": name} | machine.about(None), []
    print(line(question.titles), line(["---"] * len(question.titles)), sep="\n")
    for row in question.rows(given, lambda text: print(f"  {text}", file=sys.stderr, flush=True)):
        rows.append(row)
        print(line(question.cells(row)), flush=True)
        if not given.only:
            RESULTS.mkdir(exist_ok=True)
            whole = json.dumps(about | {"rows": rows}, indent=2) + "\n"
            (RESULTS / f"{name}.json").write_text(whole, encoding="utf-8")


def line(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def creep_cells(row: dict) -> list[str]:
    held = (format_size(int(row[name])) for name in ("second_tenth", "last_tenth"))
    return [row["engine"], f"{row['steps']:,}", *held, f"{row['growth']:+.1%}", str(row["shapes"])]


def pass_cells(row: dict) -> list[str]:
    planned, fitted = (" to ".join(f"{each:.2f}" for each in row[f"measured_to_{by}"]) for by in ("planned", "fitted"))
    kept, work = (", ".join(f"{each:g}" for each in row[name]) for name in ("kept", "work"))
    return [row["form"], row["pass"], planned, kept, work, fitted]


def run_cells(row: dict) -> list[str]:
    planned, ratio = ("-", "-")
    if row["planned"]:
        planned, ratio = format_size(row["planned"]), f"{row['peak_bytes'] / row['planned']:.2f}"
    cells = [planned, format_size(row["peak_bytes"]), ratio, f"{row['tokens_per_second']:,.0f}"]
    return [row["job"], row["contestant"], *cells]


def plan_cells(row: dict) -> list[str]:
    planned = format_size(row["planned"]) + ("" if row["fits"] else ", does not fit")
    ways = ("on" if row[name] else "off" for name in ("grad_cache", "checkpointing"))
    return [row["job"], row["engine"], planned, f"{row['chunk_tokens']:,}", *ways]


QUESTIONS = {
    "shapes": Question(
        ("job", "engine", "planned", "chunk", "GradCache", "checkpointing"), lambda *_: plans(), plan_cells
    ),
    "runs": Question(
        ("job", "", "planned", "measured", "measured / planned", "tokens/s"),
        lambda given, tell: runs.measure(given.only, tell),
        run_cells,
    ),
    "adapters": Question(
        ("job", "", "planned", "measured", "measured / planned", "tokens/s"),
        lambda given, tell: runs.measure(given.only, tell, runs.ADAPTERS, threads=1),
        run_cells,
    ),
    "splade": Question(
        ("job", "", "planned", "measured", "measured / planned", "tokens/s"),
        lambda given, tell: runs.measure(given.only, tell, runs.SPLADE),
        run_cells,
    ),
    "creep": Question(
        ("engine", "steps", "second tenth", "last tenth", "growth", "shapes"),
        lambda given, _: [creep(given.engine, given.steps)],
        creep_cells,
        by_engine=True,
    ),
    "passes": Question(
        ("form", "pass", "measured / planned", "kept", "work", "measured / fitted"),
        lambda given, tell: passes(given.engine, given.only, tell),
        pass_cells,
        by_engine=True,
    ),
}

if __name__ == "__main__":
    main()
