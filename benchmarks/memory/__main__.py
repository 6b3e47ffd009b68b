"""`python -m benchmarks.memory [shapes | runs | creep]`: what runs hold beside what was planned, and whether they grow.

`shapes`: plans for the shapes that people ask about, from a configuration alone. `runs`: one step of those that a
processor can run, beside its plan and beside sentence-transformers (extras torch and bench). `creep`: 2,000 steps of
mixed lengths on a small model. Each leaves a file in results.
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks import machine
from benchmarks.memory import runs
from benchmarks.memory.creep import STEPS, creep
from benchmarks.memory.plans import plans
from mlx_metaembed.sizes import format_size

RESULTS = Path(__file__).parent.parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("question", choices=("shapes", "runs", "creep"), nargs="?", default="shapes")
    parser.add_argument("--engine", choices=("mlx", "torch"), default="mlx", help="creep: which engine trains.")
    parser.add_argument("--steps", type=int, default=STEPS, help="creep: updates.")
    parser.add_argument("--only", default="", help="runs: those whose name has this in it; leaves no file.")
    given = parser.parse_args()
    about = machine.about(None)
    name = f"memory_{given.question}"
    if given.question == "creep":
        rows, name = [creep(given.engine, given.steps)], f"{name}-{given.engine}"
        lines = [
            f"{row['engine']}: {format_size(int(row['second_tenth']))} in the second tenth, "
            f"{format_size(int(row['last_tenth']))} in the last ({row['growth']:+.1%}), {row['shapes']} shapes"
            for row in rows
        ]
    elif given.question == "runs":
        rows = list(runs.measure(given.only, lambda text: print(f"  {text}", file=sys.stderr, flush=True)))
        lines = table(("job", "", "planned", "measured", "measured / planned", "tokens/s"), map(run_cells, rows))
    else:
        rows = plans()
        lines = table(("job", "engine", "planned", "chunk", "GradCache", "checkpointing"), map(plan_cells, rows))
    print(*lines, sep="\n")
    if given.only:
        return
    RESULTS.mkdir(exist_ok=True)
    found = json.dumps({"question": name} | about | {"rows": rows}, indent=2) + "\n"
    (RESULTS / f"{name}.json").write_text(found, encoding="utf-8")


def table(titles: tuple[str, ...], rows: object) -> list[str]:
    """Markdown."""
    return [f"| {' | '.join(cells)} |" for cells in (titles, ["---"] * len(titles), *rows)]


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
