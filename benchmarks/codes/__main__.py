"""`python -m benchmarks.codes --bytes 15,32,96`: what each code keeps, the kit's and faiss's, of the same vectors.

`--data` and `--fit` take other rows than the docstrings' paragraphs; vectors are kept in `--work`, so that a second run
encodes nothing. The result file has a row as soon as it is measured, and keeps those of other `--kinds`.
"""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import machine, program, rows
from benchmarks.codes import faiss_codes, paragraphs
from mlx_metaembed import embedder
from mlx_metaembed.codes import kinds
from mlx_metaembed.evaluate import code_comparison, code_data
from mlx_metaembed.evaluate.code_kept import Reference, kept

RESULTS = Path(__file__).parent.parent / "results"
LONG = {"residual": 32, "faiss-rq": 32, "faiss-opq": 32}
"""Kinds that are fitted up to so many bytes."""


def vectors(model: str, parts: code_data.Parts, work: Path) -> tuple[np.ndarray, ...]:
    """The vectors of the three sides, those in the folder where it has them."""
    files = [work / f"{name}.npy" for name in ("fit", "queries", "searched")]
    if not all(file.is_file() for file in files):
        found = code_comparison.vectors_of(embedder.load(model, max_seq_length=96), parts)
        for file, side in zip(files, found, strict=True):
            np.save(file, side)
    return tuple(np.load(file) for file in files)


def contestants(sizes: list[int], width: int) -> list[tuple[str, Callable]]:
    """Name and how it is fitted to a sample."""
    found: dict[tuple[str, int], Callable] = {}
    for size in sizes:
        for kind, each in kinds.KINDS.items():
            least, most = each.span(width)
            if size >= least and size <= LONG.get(kind, size) and kind != "uint8":
                found[kind, min(size, most)] = partial(_fitted, kind, min(size, most))
        for kind, peer in (("faiss-rq", faiss_codes.residual), ("faiss-opq", faiss_codes.opq)):
            if size <= LONG[kind]:
                found[kind, size] = partial(_peer, peer, size)
    found["faiss-rabitq", 0] = partial(_peer, faiss_codes.rabitq, 0)
    return [(kind, fit) for (kind, _), fit in found.items()]


def _fitted(kind: str, size: int, sample: np.ndarray) -> object:
    return kinds.fit(kind, sample, size)


def _peer(made: Callable, size: int, sample: np.ndarray) -> object:
    return made(sample, size)


def main() -> None:
    given = program.settings(
        bytes="15,32,96", data="", fit="", work="runs/codes", queries=1_000, seed=0, name="docstrings", kinds=""
    )
    work = Path(given.work)
    work.mkdir(parents=True, exist_ok=True)
    if not given.data and not (work / "task").is_dir():
        paragraphs.write(work, queries=given.queries, seed=given.seed)
    faiss_codes.faiss.omp_set_num_threads(1)
    data, fit = (given.data, given.fit or None) if given.data else (work / "task", work / "fit.jsonl")
    sizes = [int(size) for size in given.bytes.split(",")]
    parts = code_data.parts(data, 384, fit=fit, most_queries=given.queries, seed=given.seed)
    sample, queries, searched = vectors(rows.MODEL, parts, work)
    reference = Reference(queries, searched, parts.relevant, parts.itself, given.seed)
    result = RESULTS / f"codes-{given.name}.json"
    counts = {"fit": len(sample), "queries": len(queries), "documents": len(searched)}
    about = machine.about(1) | {"model": rows.MODEL, "counts": counts, "seed": given.seed}
    about["ndcg@10"] = None if reference.ndcg is None else float(reference.ndcg.mean())
    count = 0
    for kind, fitted in contestants(sizes, queries.shape[1]):
        if given.kinds and kind not in given.kinds.split(","):
            continue
        began, used = time.perf_counter(), time.process_time()
        codec = fitted(sample)
        seconds, processor = time.perf_counter() - began, time.process_time() - used
        used = time.process_time()
        codes = codec.encode(searched)
        encode = 1e6 * (time.process_time() - used) / len(searched)
        row = {"name": f"{kind}@{codec.bytes_per_vector}", "kind": kind, "bytes_per_vector": codec.bytes_per_vector}
        row |= kept(reference, lambda asked, codec=codec, codes=codes: codec.score(asked, codes))
        # The processor's own seconds: the machine had other work.
        row |= {"seconds": seconds, "processor_seconds": processor, "encode_us": encode}
        count = keep(result, about, row)
        print(f"{row['name']:<22} R10 {row['kept_r10']:.3f}  {processor:.1f} s", flush=True)
    program.answer(result=str(result), rows=count)


def keep(result: Path, about: dict, row: dict) -> int:
    """Put a row into the result file, among those of the same vectors; how many these are now."""
    before = json.loads(result.read_text(encoding="utf-8")) if result.is_file() else {}
    same = all(before.get(name) == about[name] for name in ("model", "counts", "seed", "ndcg@10"))
    measured = [each for each in before.get("rows", []) if each["name"] != row["name"]] if same else []
    measured = sorted([*measured, row], key=lambda each: (each["bytes_per_vector"], each["name"]))
    result.write_text(json.dumps(about | {"rows": measured}, indent=2) + "\n", encoding="utf-8")
    return len(measured)


if __name__ == "__main__":
    main()
