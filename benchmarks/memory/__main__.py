"""`python -m benchmarks.memory [shapes | runs | creep]`: what runs hold beside what was planned, and whether they grow.

`shapes`: plans for the shapes that people ask about, from a configuration alone. `runs`: one step of those that a
processor can run, beside its plan and beside sentence-transformers (extras torch and bench). `creep`: 2,000 steps of
mixed lengths on a small model. Each leaves a file in results.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import machine
from benchmarks.memory import runs
from benchmarks.memory.creep import STEPS, creep
from benchmarks.memory.plans import plans
from mlx_metaembed.sizes import format_size

RESULTS = Path(__file__).parent.parent / "results"
PLANS = ("job", "engine", "planned", "chunk", "GradCache", "checkpointing")
RUNS = ("job", "", "planned", "measured", "measured / planned", "tokens/s")
CREEP = ("engine", "steps", "second tenth", "last tenth", "growth", "shapes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("question", choices=("shapes", "runs", "creep"), nargs="?", default="shapes")
    parser.add_argument("--engine", choices=("mlx", "torch"), default="mlx", help="creep: which engine trains.")
    parser.add_argument("--steps", type=int, default=STEPS, help="creep: updates.")
    parser.add_argument("--only", default="", help="runs: those whose name has this in it; leaves no file.")
    given = parser.parse_args()
    if given.question == "creep":
        found, titles, cells = [creep(given.engine, given.steps)], CREEP, creep_cells
    elif given.question == "runs":
        told = runs.measure(given.only, lambda text: print(f"  {text}", file=sys.stderr, flush=True))
        found, titles, cells = told, RUNS, run_cells
    else:
        found, titles, cells = plans(), PLANS, plan_cells
    name = f"memory_{given.question}" + (f"-{given.engine}" if given.question == "creep" else "")
    about, rows = {"question": name} | machine.about(None), []
    print(line(titles), line(["---"] * len(titles)), sep="\n")
    for row in found:
        rows.append(row)
        print(line(cells(row)), flush=True)
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


if __name__ == "__main__":
    main()
