"""`python -m benchmarks.revisions REVISION`: training and encoding by this commit beside an earlier one, in turns.

Each revision is installed whole, with the benchmark programs that it had, so that neither is measured by calls that it
does not know. Needs git, pip and the extra torch; leaves `results/revisions.json`.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import machine, process, ratios, rows

RESULTS = Path(__file__).parent / "results"
QUESTIONS = {"training": "benchmarks.train_speed.metaembed", "encoding": "benchmarks.encode_speed.metaembed"}
ROWS = 2048


def installed(revision: str, at: Path) -> Path:
    """A folder with the package and the benchmarks of a revision, from which `python -m` runs them."""
    tree, site = at / "tree", at / "site"
    tree.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", revision], cwd=process.ROOT, check=True, stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", str(tree)], input=archive.stdout, check=True)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(tree)]
    subprocess.run(install, check=True)
    shutil.copytree(tree / "benchmarks", site / "benchmarks")
    return site


def compare(
    revisions: dict[str, Path], engines: list[str], rounds: int, threads: int | None, sizes: dict[str, dict]
) -> list[dict]:
    """A row a question and engine: tokens a second of both revisions, and their ratio."""
    made = []
    with tempfile.TemporaryDirectory() as work:
        rows.write(Path(work), train=ROWS, held_out=1)
        for question, module in QUESTIONS.items():
            for engine in engines:
                options = {"rows": f"{work}/train.jsonl", "engine": engine} | sizes[question]
                if question == "encoding":
                    options["vectors"] = f"{work}/vectors.npy"
                answers: dict[str, list[dict]] = {label: [] for label in revisions}
                for turn in range(rounds):
                    for label in list(revisions) if turn % 2 == 0 else reversed(list(revisions)):
                        print(f"  {question}, {engine}, {label} ({turn + 1} of {rounds})", file=sys.stderr, flush=True)
                        answers[label].append(process.measure(module, options, threads, at=revisions[label]))
                found = ratios.rows(list(revisions), ("tokens_per_second",), list(answers.values()))
                made += [row | {"measure": f"{question}, {engine}"} for row in found]
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("revision", help="The earlier one, as git names it.")
    parser.add_argument("--new", default="HEAD", help="The later one.")
    parser.add_argument("--engine", nargs="*", default=["torch", "mlx"])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--threads", type=int, help="Threads of either: 1 on a machine that others use too.")
    parser.add_argument("--steps", type=int, default=8, help="Training steps of 64 pairs a turn.")
    parser.add_argument("--texts", type=int, default=256, help="Texts encoded a turn.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        names = {"new": given.new, "old": given.revision}
        found = compare(
            {label: installed(name, Path(work) / label) for label, name in names.items()},
            given.engine,
            given.rounds,
            given.threads,
            {"training": {"steps": given.steps}, "encoding": {"texts": given.texts}},
        )
    print(*ratios.lines(found), sep="\n")
    commits = {label: _commit(name) for label, name in names.items()}
    about = {"question": "revisions", "commits": commits} | machine.about(given.threads)
    (RESULTS / "revisions.json").write_text(json.dumps(about | {"rows": found}, indent=2) + "\n", encoding="utf-8")


def _commit(name: str) -> str:
    words = ["git", "rev-parse", "--short", name]
    return subprocess.run(words, cwd=process.ROOT, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
