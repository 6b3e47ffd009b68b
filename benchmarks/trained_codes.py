"""`python -m benchmarks.trained_codes NAME TRAIN HELD_OUT --model RUN --bytes 15`: trained codes beside fitted ones.

RUN is a model that was trained on TRAIN without a code; it stays as it is, so that its float vectors lose nothing. Code
heads learn from TRAIN's pairs and from the model's own lists, as `train = "heads"` does it; codecs are fitted on the
vectors of the same texts. The figure is nDCG@10 of each query of HELD_OUT by a float query against codes, the mean over
the seeds; a codec's decoded vectors are compared by product and, as `NAME, cosine`, by cosine. An interval is a paired
bootstrap over queries of the difference to the best codec. What is done is kept: the same command goes on.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks import machine, rows
from benchmarks.defaults import interval
from mlx_metaembed import engine as engines
from mlx_metaembed import folder as folders
from mlx_metaembed.codes import kinds
from mlx_metaembed.codes.codec import Codec
from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.codes.residual import Residual
from mlx_metaembed.embedder import load
from mlx_metaembed.engine import DENSE
from mlx_metaembed.evaluate.retrieval import by_query
from mlx_metaembed.folder import ModelFolder, locate
from mlx_metaembed.folder.parameters import behind_trunk
from mlx_metaembed.heads import CodeHead, Fsq, Rvq, code_start, residual_start
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.search.exact import rankings, score_blocks
from mlx_metaembed.training import batches
from mlx_metaembed.training.objective import Objective, teacher_target, total
from mlx_metaembed.training.optimizers.rates import Optimizer

RESULTS = Path(__file__).parent / "results" / "trained_codes.json"
CODECS = ("binary", "pca-binary", "scalar", "scalar-unscaled")
MEASURE, TRAINED = "ndcg@10", "trained "
RECIPES = {
    "rvq": {"batch_size": 256, "head_learning_rate": 5e-4, "iters": 200},
    "fsq": {"batch_size": 256, "head_learning_rate": 3e-3, "iters": 200},
}
LISTS = {"rvq": 2.0, "fsq": 1.0}
"""Weight of the model's own lists beside the pairs."""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("name")
    asked.add_argument("train")
    asked.add_argument("held_out")
    asked.add_argument("--model", default=rows.MODEL)
    asked.add_argument("--rows", type=int, default=4_000, help="of TRAIN, the first")
    asked.add_argument("--bytes", type=int, default=15)
    asked.add_argument("--seeds", type=int, default=2)
    asked.add_argument("--max-seq-length", type=int)
    asked.add_argument("--heads", default="rvq,fsq")
    asked.add_argument("--work", type=Path, default=Path("runs/trained_codes"))
    given = asked.parse_args()
    work = given.work / given.name
    vectors = encoded(given, work / "vectors.npz")
    for seed in range(given.seeds):
        for name in (*given.heads.split(","), "codecs"):
            done = work / f"{given.bytes}-{name}-{seed}.npz"
            if not done.is_file():
                np.savez(done, **(codecs if name == "codecs" else trained)(given, vectors, name, seed, work))
    figures = gathered(given, work) | {"float32": ndcg(unit(vectors["queries"]), unit(vectors["corpus"]))}
    record(given, lines(figures))


def gathered(given: argparse.Namespace, work: Path) -> dict[str, np.ndarray]:
    """nDCG@10 of each query by code, the mean over the seeds."""
    found: dict[str, list[np.ndarray]] = {}
    for name in ("codecs", *given.heads.split(",")):
        for seed in range(given.seeds):
            with np.load(work / f"{given.bytes}-{name}-{seed}.npz") as stored:
                for code in stored.files:
                    found.setdefault(code, []).append(stored[code])
    return {code: np.mean(each, axis=0) for code, each in found.items()}


def encoded(given: argparse.Namespace, path: Path) -> dict[str, np.ndarray]:
    """The model's vectors of the held-out queries and answers, and of the training rows; kept at `path`."""
    if not path.is_file():
        model = load(given.model, max_seq_length=given.max_seq_length)
        asked, answers = rows.read(given.held_out)
        anchors, positives = (each[: given.rows] for each in rows.read(given.train))
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            queries=model.encode_query(asked),
            corpus=model.encode_document(answers),
            anchors=model.encode_query(anchors),
            positives=model.encode_document(positives),
        )
    with np.load(path) as stored:
        return dict(stored)


def codecs(
    given: argparse.Namespace, vectors: Mapping[str, np.ndarray], _: str, seed: int, work: Path
) -> dict[str, np.ndarray]:
    """nDCG@10 of each query by each codec."""
    sample, corpus = unit(np.concatenate([vectors["positives"], vectors["anchors"]])), unit(vectors["corpus"])
    found = {}
    for kind in (kind for kind in CODECS if kind in kinds.fitting(given.bytes, corpus.shape[1])):
        found |= judged(kind, kinds.fit(kind, sample, given.bytes, seed=seed), vectors)
    begun = residual(given, vectors, seed, work)
    found |= judged("residual", Residual(corpus.shape[1], begun["mean"], begun["codebooks"]), vectors)
    head = Fsq(corpus.shape[1], (2,) * (8 * given.bytes), "float")
    for start in ("prefix", "pca", "rotated_pca"):
        _, arrays = code_start.best(sample, head.levels, seed, start)
        asked = head.of_query(arrays, unit(vectors["queries"]))
        found[f"signs, {start}"] = ndcg(unit(asked), unit(head(arrays, corpus)))
    return found


def judged(kind: str, codec: Codec, vectors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """nDCG@10 of each query by a codec's decoded vectors, compared by product and by cosine."""
    decoded, queries = codec.decode(codec.encode(unit(vectors["corpus"]))), unit(vectors["queries"])
    return {kind: ndcg(queries, decoded), f"{kind}, cosine": ndcg(queries, unit(decoded))}


def residual(given: argparse.Namespace, vectors: Mapping[str, np.ndarray], seed: int, work: Path) -> dict:
    """The arrays at which a residual head begins, those of the residual codec; kept, since k-means takes long."""
    path = work / f"{given.bytes}-start-{seed}.npz"
    if not path.is_file():
        sample = unit(np.concatenate([vectors["positives"], vectors["anchors"]]))
        np.savez(path, **residual_start.begun(Rvq(sample.shape[1], (256,) * given.bytes), sample, seed))
    with np.load(path) as stored:
        return dict(stored)


def trained(
    given: argparse.Namespace, vectors: Mapping[str, np.ndarray], kind: str, seed: int, work: Path
) -> dict[str, np.ndarray]:
    """nDCG@10 of each query by a head that learns from pairs and lists, as a run of a frozen trunk trains it."""
    folder, features = folders.read(locate.resolve(given.model)), vectors["corpus"].shape[1]
    anchors, positives = unit(vectors["anchors"]), unit(vectors["positives"])
    if kind == "rvq":
        head: CodeHead = Rvq(features, (256,) * given.bytes)
        arrays = residual(given, vectors, seed, work)
    else:
        head = Fsq(features, (2,) * (8 * given.bytes), "float", "noise")
        _, arrays = code_start.best(np.concatenate([positives, anchors]), head.levels, seed)
    recipe = Recipe(train="heads", seed=seed, **RECIPES[kind])
    return {f"{TRAINED}{kind}": _learned(recipe, folder, head, arrays, (anchors, positives), vectors, given.train)}


def _learned(
    recipe: Recipe,
    folder: ModelFolder,
    head: CodeHead,
    arrays: Mapping[str, np.ndarray],
    sides: tuple[np.ndarray, np.ndarray],
    vectors: Mapping[str, np.ndarray],
    texts: str,
) -> np.ndarray:
    engine, heads, begun = engines.choose("torch"), {"codes": head}, time.perf_counter()
    own = {f"codes.{name}": array for name, array in arrays.items()}
    engine.load(
        folder, dtype="float32", heads=heads, arrays=behind_trunk(folder, own), trunk=False, train=True, dropout=0.0
    )
    objectives = (
        Objective("pairs", "pairs", "codes", LOSSES["info_nce"]()),
        Objective("lists", "pairs", "codes", LOSSES["kl_in_batch"](), LISTS[head.kind], teachers=("base",)),
    )
    numbered, every = _numbered(texts, *sides)
    steps, size = recipe.iters, recipe.batch_size
    chosen, epoch = [], 0
    while len(chosen) < steps:
        chosen += batches.epoch(np.ones(len(sides[0])), size, seed=(recipe.seed, epoch))
        epoch += 1
    for step, part in enumerate(chosen[:steps], start=1):
        batch = batches.pooled_batch(numbered, part)
        summed = total(objectives, heads, engine, batch, pooled=folder, seed=(recipe.seed, step, 0))
        engine.grads(summed, [{DENSE: engine.array(every[batch.texts])}])
        engine.update(Optimizer(recipe, step=step, steps=steps), divide=1, max_norm=recipe.max_grad_norm)
    print(f"{head.kind}, seed {recipe.seed}: {time.perf_counter() - begun:.0f} s", flush=True)
    queries, corpus = (engine.array(unit(vectors[name])) for name in ("queries", "corpus"))
    asked, stored = engine.head("codes", queries, query=True), engine.head("codes", corpus)
    return ndcg(unit(engine.numpy(asked)), unit(engine.numpy(stored)))


def _numbered(texts: str, anchors: np.ndarray, positives: np.ndarray) -> tuple[batches.TokenizedRows, np.ndarray]:
    """The rows by text, each distinct one once, with the model's own vectors as targets; and the texts' vectors."""
    numbers: dict[str, int] = {}
    sides = [[numbers.setdefault(text, len(numbers)) for text in side[: len(anchors)]] for side in rows.read(texts)]
    every = np.empty((len(numbers), anchors.shape[1]), np.float32)
    every[sides[0]], every[sides[1]] = anchors, positives
    targets = {teacher_target("base", "anchor"): anchors, teacher_target("base", "positive"): positives}
    at = dict(zip(("anchor", "positive"), map(np.array, sides), strict=True))
    return batches.TokenizedRows(at, targets), every


def ndcg(queries: np.ndarray, corpus: np.ndarray) -> np.ndarray:
    """nDCG@10 of each query by inner product, whose answer has its number."""
    ranked, _ = rankings(score_blocks(queries, corpus, similarity="dot"), 10)
    return np.array(by_query(ranked, [{row: 1.0} for row in range(len(queries))], [10])[MEASURE])


def lines(figures: Mapping[str, np.ndarray]) -> list[dict]:
    """A row a code: its figure, what it keeps of the floats', and how much better it is than the best codec."""
    free = [name for name in figures if not name.startswith(TRAINED) and name != "float32"]
    best = max(free, key=lambda name: figures[name].mean())
    found = []
    for name, values in figures.items():
        row = {
            "name": name,
            MEASURE: float(values.mean()),
            "kept_ndcg": float(values.mean() / figures["float32"].mean()),
        }
        if name.startswith(TRAINED):
            low, high = interval(values - figures[best])
            row |= {"over": best, "gain": float((values - figures[best]).mean()), "gain_low": low, "gain_high": high}
        found.append(row)
    return found


def record(given: argparse.Namespace, found: list[dict]) -> None:
    """Put the rows among the results, in the place of those of the same set and bytes, and print them."""
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else []
    key = {"name": given.name, "bytes_per_vector": given.bytes}
    kept = [each for each in kept if {name: each[name] for name in key} != key]
    settings = {"seeds": given.seeds, "training_rows": given.rows, "recipes": RECIPES, "lists": LISTS}
    kept.append(key | settings | machine.about(1) | {"rows": found})
    RESULTS.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    for line in found:
        print(*(f"{name}: {value:.4f}" if isinstance(value, float) else value for name, value in line.items()))


if __name__ == "__main__":
    main()
