"""`python -m benchmarks.compare [QUESTION ...]`: contestants take turns, each in its own process; ratios are printed.

Figures of one run on one machine: the ratio is what holds elsewhere, if anything does. Needs the extras torch and
bench. Each question leaves `results/<question>.json`, or `results/<question>-<tag>.json`.
"""

import argparse
import importlib.util
import json
import os
import platform
import sys
import tempfile
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks import process, ratios, rows
from benchmarks.questions import QUESTIONS, Contestant, Pair

RESULTS = Path(__file__).parent / "results"
NEEDED = {"torch": "torch", "sentence_transformers": "bench", "datasets": "bench", "mlx_embeddings": "bench"}
PACKAGES = ("mlx-metaembed", "mlx", "torch", "transformers", "sentence-transformers", "mlx-embeddings", "numpy")
TRAIN_ROWS, HELD_OUT_ROWS = 3840, 400


def compare(names: list[str], tag: str) -> None:
    """Ask the questions, one after another."""
    with tempfile.TemporaryDirectory() as work:
        rows.write(Path(work), train=TRAIN_ROWS, held_out=HELD_OUT_ROWS)
        for name in names:
            found = [ask(pair, Path(work)) for pair in QUESTIONS[name]]
            made = [row for each in found for row in each["rows"]]
            print(
                f"\n{name}",
                *ratios.lines(made),
                *(each["note"] for each in found if each["note"]),
                sep="\n",
                flush=True,
            )
            path = RESULTS / f"{name}{'-' + tag if tag else ''}.json"
            path.write_text(json.dumps(about(name, tag) | {"pairs": found}, indent=2) + "\n")


def ask(pair: Pair, work: Path) -> dict:
    """Both contestants in turn, A B A B; what they answered and the ratios."""
    answers: tuple[list[dict], list[dict]] = ([], [])
    for turn in range(pair.rounds):
        for side, contestant in zip(answers, (pair.first, pair.second), strict=True):
            print(f"  {contestant.label} ({turn + 1} of {pair.rounds})", file=sys.stderr, flush=True)
            side.append(process.measure(contestant.module, options(contestant, work, turn if pair.seeds else None)))
    labels = (pair.first.label, pair.second.label)
    return {"rows": ratios.rows(labels, pair.measures, answers), "answers": answers, "note": agreement(pair, work)}


def options(contestant: Contestant, work: Path, seed: int | None) -> dict:
    """The contestant's own options, and the files of this run."""
    own = dict(contestant.options) | {"rows": work / "train.jsonl"}
    if "encode_speed" in contestant.module:
        own["vectors"] = vectors(contestant, work)
    if "quality" in contestant.module:
        own |= {"held_out": work / "held_out.jsonl", "seed": seed}
    return own


def vectors(contestant: Contestant, work: Path) -> Path:
    """Where a contestant leaves what it encoded."""
    return work / f"{contestant.label.replace(' ', '-')}.npy"


def agreement(pair: Pair, work: Path) -> str:
    """The least cosine between the two contestants' vectors, where they encoded the same texts."""
    paths = [vectors(contestant, work) for contestant in (pair.first, pair.second)]
    if not all(path.is_file() for path in paths):
        return ""
    first, second = (np.load(path) for path in paths)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return f"least cosine between the two: {((first * second).sum(axis=1) / lengths).min():.6f}"


def about(name: str, tag: str) -> dict:
    """Where, when, with what, and the command."""
    return {
        "question": name,
        "command": f"python -m benchmarks.compare {name}" + (f" --tag {tag}" if tag else ""),
        "date": date.today().isoformat(),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "versions": {package: version(package) for package in PACKAGES},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "questions", nargs="*", metavar="QUESTION", help=f"{', '.join(QUESTIONS)}; all where none is named"
    )
    parser.add_argument("--tag", default="", help="Ends the names of the result files, like h200.")
    given = parser.parse_args()
    unknown = [name for name in given.questions if name not in QUESTIONS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; questions are {', '.join(QUESTIONS)}")
    missing = sorted({extra for module, extra in NEEDED.items() if importlib.util.find_spec(module) is None})
    if missing:
        parser.error(f"pip install 'mlx-metaembed[{','.join(missing)}]' first")
    compare(given.questions or list(QUESTIONS), given.tag)


if __name__ == "__main__":
    main()
