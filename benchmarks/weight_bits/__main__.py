"""`python -m benchmarks.weight_bits --data DATA`: nDCG@10 kept by weights in 2, 3 and 4 bits, at equal bytes.

`plain` is mlx-lm's and mlx-embeddings' rounding, `searched` the kit's without texts, `rounded` and `calibrated` what
`--calibrate` makes of it before and after the distillation, `mixed` and `mixed-rounded` the same in bits that differ.
They are calibrated on the training parts of cosqa and scitldr (DATA holds a folder a set) and tested on the test parts;
every text is cut at 64 tokens. A row is written as soon as it is measured; one that is there is not measured again.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import machine, program, rows
from benchmarks.defaults import interval
from benchmarks.sets import texts
from benchmarks.weight_bits import plain
from mlx_metaembed import folder as folders
from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.embedder import load
from mlx_metaembed.evaluate.retrieval import by_query
from mlx_metaembed.export.calibration import Calibration
from mlx_metaembed.export.kept import kept
from mlx_metaembed.export.mlx import export
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.search.exact import rankings, score_blocks

RESULTS = Path(__file__).parent.parent / "results" / "weight_bits.json"
SETS = ("cosqa", "scitldr")
LENGTH, TRAINING = 64, 250
"""Tokens a text, and pairs of each set that are calibrated on."""
MEASURE = "ndcg@10"
Sides = tuple[np.ndarray, np.ndarray]


def main() -> None:
    given = program.settings(
        data=str,
        bits="2,3,4",
        ways=",".join(WAYS),
        steps=100,
        engine="auto",
        work="runs/weight_bits",
    )
    work, data = Path(given.work), Path(given.data)
    work.mkdir(parents=True, exist_ok=True)
    model = folders.read(rows.model())
    tests = {name: texts.search(name, data) for name in SETS}
    source = calibrating(data, work / "calibrate.jsonl")
    before = {name: vectors(str(model.path), name, tests[name], given.engine, work / "float") for name in SETS}
    found = json.loads(RESULTS.read_text())["rows"] if RESULTS.is_file() else []
    for bits in map(int, given.bits.split(",")):
        for way in given.ways.split(","):
            name = f"{way}@{bits}"
            if name in {row["name"] for row in found}:
                continue
            began, out = time.perf_counter(), work / name
            is_new = not out.is_dir()
            if is_new:
                WAYS[way](model, out, bits, source, given)
            row = {"name": name, "way": way, "bits": bits}
            if is_new:
                row |= {"seconds": time.perf_counter() - began}
            row["weights_bytes"] = (out / "model.safetensors").stat().st_size
            for each in SETS:
                after = vectors(str(out), each, tests[each], given.engine, out / "vectors")
                row[each] = figures(before[each], after, tests[each].relevant)
                np.save(out / f"{each}.npy", ndcg(after, tests[each].relevant))
                against = work / f"plain@{bits}" / f"{each}.npy"
                if way != "plain" and against.is_file():
                    row[each] |= over(np.load(out / f"{each}.npy"), np.load(against))
            found.append(row)
            about = machine.about(None) | {
                "model": rows.MODEL,
                "group_size": 64,
                "steps": given.steps,
                "tokens": LENGTH,
            }
            RESULTS.write_text(json.dumps(about | {"rows": found}, indent=2) + "\n", encoding="utf-8")
            said = (f"{each} {row[each]['kept_ndcg']:.4f} (cosine {row[each]['cosine']:.4f})" for each in SETS)
            print(f"{name:<14} {row['weights_bytes'] / 1e6:.2f} MB ", *said, flush=True)
    program.answer(result=str(RESULTS), rows=len(found))


def _ours(steps: int | None, *, mixes: bool = False) -> Callable[[ModelFolder, Path, int, Path, object], None]:
    """The kit's export: without texts where steps is None, with the steps asked for where it is -1."""

    def made(model: ModelFolder, out: Path, bits: int, source: Path, given: object) -> None:
        calibrate = None
        if steps is not None:
            calibrate = Calibration(source, steps=given.steps if steps < 0 else steps, engine=given.engine)
        # As many bits a weight as scales and biases of groups of 64 make of it.
        how = {"mean_bits": bits + 0.5} if mixes else {"bits": bits}
        export(model, out, calibrate=calibrate, **how)

    return made


WAYS: dict[str, Callable] = {
    "plain": lambda model, out, bits, _source, _given: plain.export(model, out, bits=bits),
    "searched": _ours(None),
    "rounded": _ours(0),
    "calibrated": _ours(-1),
    "mixed-rounded": _ours(0, mixes=True),
    "mixed": _ours(-1, mixes=True),
}


def calibrating(data: Path, path: Path) -> Path:
    """A file of the training pairs of both sets."""
    lines = []
    for name in SETS:
        own = texts.train(name, data)
        chosen = np.random.default_rng(0).permutation(len(own))[:TRAINING]
        lines += [json.dumps({role: own[at][role] for role in ("anchor", "positive")}) for at in chosen]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def vectors(model: str, name: str, test: object, engine: str, at: Path) -> Sides:
    """The vectors of a test's queries and corpus, those in the folder `at` where it has them."""
    files = [at / f"{name}-{side}.npy" for side in ("queries", "corpus")]
    if not all(file.is_file() for file in files):
        at.mkdir(parents=True, exist_ok=True)
        found = load(model, engine=engine, dtype="float32", max_seq_length=LENGTH)
        np.save(files[0], unit(found.encode_query(list(test.queries))))
        np.save(files[1], unit(found.encode_document(list(test.corpus))))
    return np.load(files[0]), np.load(files[1])


def figures(before: Sides, after: Sides, relevant: list[dict[int, float]]) -> dict[str, float]:
    """What is kept, with the intervals of nDCG and of the neighbours; `ndcg@10` is after, `float` before."""
    found = kept(before, after, relevant, 0)
    found = {name: value for name, value in found.items() if not name.startswith(("kept_r100", "kept_spearman_"))}
    return found | {MEASURE: float(ndcg(after, relevant).mean()), "float": found[MEASURE]}


def ndcg(sides: Sides, relevant: list[dict[int, float]]) -> np.ndarray:
    """nDCG@10 of each query."""
    ranked, _ = rankings(score_blocks(*sides, similarity="dot"), 10)
    return by_query(ranked, relevant, [10])[MEASURE]


def over(ours: np.ndarray, plain: np.ndarray) -> dict[str, float]:
    """How much better than the plain rounding at the same bits, with its interval over the queries."""
    low, high = interval(ours - plain)
    return {"over_plain": float((ours - plain).mean()), "over_plain_low": low, "over_plain_high": high}


if __name__ == "__main__":
    main()
