"""`python -m benchmarks.trained_codes NAME TRAIN HELD_OUT --bytes 15 --seeds 2`: trained codes beside fitted ones.

The model stays as it is. A code head of so many bytes learns from TRAIN's pairs and from the model's own lists; the
codecs are fitted on the vectors of the same texts. The figure is nDCG@10 of each query of HELD_OUT by a float query
against codes, the mean over the seeds; an interval is a paired bootstrap over queries of the difference to the best
codec. The same command goes on where it was stopped.
"""

import argparse
import json
import shutil
import time
from pathlib import Path

import numpy as np

from benchmarks import machine, rows
from benchmarks.defaults import interval
from mlx_metaembed.codes import kinds
from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.embedder import load
from mlx_metaembed.evaluate.retrieval import by_query
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, HeadTable, ObjectiveTable
from mlx_metaembed.search.exact import rankings, score_blocks
from mlx_metaembed.training import train

RESULTS = Path(__file__).parent / "results" / "trained_codes.json"
CODECS = ("binary", "pca-binary", "scalar", "scalar-unscaled", "residual")
GRADIENTS = ("noise", "straight_through")
MEASURE = "ndcg@10"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("name")
    asked.add_argument("train")
    asked.add_argument("held_out")
    asked.add_argument("--bytes", type=int, default=15)
    asked.add_argument("--seeds", type=int, default=2)
    asked.add_argument("--steps", type=int, default=300)
    asked.add_argument("--max-seq-length", type=int, default=48)
    asked.add_argument("--work", type=Path, default=Path("runs/trained_codes"))
    given = asked.parse_args()
    found = json.loads(RESULTS.read_text()) if RESULTS.is_file() else []
    key = {"name": given.name, "bytes": given.bytes, "steps": given.steps}
    found = [each for each in found if {name: each[name] for name in key} != key]
    figures, seconds = measured(given)
    found.append(key | {"seeds": given.seeds, **machine.about(1), "rows": lines(figures, seconds)})
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    for line in found[-1]["rows"]:
        print(*(f"{name}: {value:.4f}" if isinstance(value, float) else value for name, value in line.items()))


def measured(given: argparse.Namespace) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """nDCG@10 of each query by code, the mean over the seeds, and the seconds that a fit took."""
    work = given.work / given.name
    vectors = encoded(given, work / "vectors.npz")
    queries, corpus, sample = (vectors[name] for name in ("queries", "corpus", "sample"))
    figures, seconds = {"float32": ndcg(unit(queries), unit(corpus))}, {}
    for kind in (kind for kind in CODECS if kind in kinds.fitting(given.bytes, corpus.shape[1])):
        begun = time.perf_counter()
        codec = kinds.fit(kind, unit(sample), given.bytes)
        seconds[kind] = time.perf_counter() - begun
        figures[kind] = ndcg(unit(queries), codec.decode(codec.encode(unit(corpus))), similarity="dot")
    for gradient in GRADIENTS:
        each = [trained(given, work, gradient, seed) for seed in range(given.seeds)]
        heads = [load(path).apply for path in each]
        sides = [(apply("codes", queries, query=True), apply("codes", corpus)) for apply in heads]
        figures[f"trained, {gradient}"] = np.mean([ndcg(unit(one), unit(other)) for one, other in sides], axis=0)
    return figures, seconds


def encoded(given: argparse.Namespace, path: Path) -> dict[str, np.ndarray]:
    """The model's vectors of the held-out queries and answers, and of the training texts; kept at `path`."""
    if not path.is_file():
        model = load(rows.MODEL, max_seq_length=given.max_seq_length)
        asked, answers = rows.read(given.held_out)
        sides = {"queries": model.encode_query(asked), "corpus": model.encode_document(answers)}
        anchors, positives = rows.read(given.train)
        sides["sample"] = np.concatenate([model.encode_query(anchors), model.encode_document(positives)])
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **sides)
    with np.load(path) as stored:
        return dict(stored)


def trained(given: argparse.Namespace, work: Path, gradient: str, seed: int) -> Path:
    """The run of a head, made where it is not there."""
    out = work / f"{given.bytes}-{given.steps}-{gradient}-{seed}"
    if (out / "modules.json").is_file():
        return out
    shutil.rmtree(out, ignore_errors=True)
    head = {"levels": f"2x{8 * given.bytes}", "gradient": gradient}
    recipe = Recipe(
        model=rows.MODEL,
        out=str(out),
        train="heads",
        seed=seed,
        iters=given.steps,
        batch_size=256,
        head_learning_rate=3e-3,
        max_seq_length=given.max_seq_length,
        sources=(DataTable("pairs", given.train),),
        heads=(HeadTable("codes", "fsq", head),),
        objectives=(
            ObjectiveTable("pairs", "pairs", "codes", "info_nce"),
            ObjectiveTable("lists", "pairs", "codes", "kl_in_batch", teacher="base"),
        ),
    )
    train(recipe)
    return out


def ndcg(queries: np.ndarray, corpus: np.ndarray, similarity: str = "dot") -> np.ndarray:
    """nDCG@10 of each query, whose answer has its number."""
    ranked, _ = rankings(score_blocks(queries, corpus, similarity=similarity), 10)
    return by_query(ranked, [{row: 1.0} for row in range(len(queries))], [10])[MEASURE]


def lines(figures: dict[str, np.ndarray], seconds: dict[str, float]) -> list[dict]:
    """A row a code: its figure, what it keeps of the floats', and how much better it is than the best codec."""
    best = max((name for name in figures if name in CODECS), key=lambda name: figures[name].mean())
    found = []
    for name, values in figures.items():
        row = {"code": name, MEASURE: float(values.mean()), "kept": float(values.mean() / figures["float32"].mean())}
        if name.startswith("trained"):
            low, high = interval(values - figures[best])
            row |= {f"over {best}": float((values - figures[best]).mean()), "low": low, "high": high}
        found.append(row | ({"fit_s": seconds[name]} if name in seconds else {}))
    return found


if __name__ == "__main__":
    main()
