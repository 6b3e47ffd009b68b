"""`python -m benchmarks.mining --queries 10000 --corpus 100000`: the nearest texts of all queries, within a budget.

Vectors are written into files as `mine` does, then searched part by part; nothing is encoded. The result file has
each run's sizes, seconds and peak.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import machine, program
from mlx_metaembed.engine import footprint
from mlx_metaembed.mining import vectors
from mlx_metaembed.mining.nearest import block_rows, nearest
from mlx_metaembed.mining.run import PART

RESULTS = Path(__file__).parent.parent / "results" / "mining.json"


def drawn(path: Path, count: int, width: int, seed: int) -> vectors.Vectors:
    """So many unit vectors in a file."""

    def make(first: int, last: int) -> np.ndarray:
        found = np.random.default_rng((seed, first)).standard_normal((last - first, width), np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    return vectors.stored(path, count, width, make)


def main() -> None:
    given = program.settings(queries=10_000, corpus=100_000, width=384, nearest=52, memory=8 * 10**9, parts=0)
    with tempfile.TemporaryDirectory() as work:
        queries = drawn(Path(work) / "queries.f32", given.queries, given.width, 0)
        corpus = drawn(Path(work) / "corpus.f32", given.corpus, given.width, 1)
        footprint.peak(reset=True)
        began, done = time.perf_counter(), 0
        for number, first in enumerate(range(0, given.queries, PART)):
            if given.parts and number == given.parts:
                break
            asked = queries.block(first, first + PART)
            rows, _ = nearest(asked, corpus.blocks(block_rows(len(asked), given.memory)), given.nearest, "dot")
            done += len(rows)
        seconds = time.perf_counter() - began
    run = vars(given) | {"queries_done": done, "seconds": seconds, "peak_bytes": footprint.peak()}
    run["seconds_for_all"] = seconds * given.queries / done
    before = json.loads(RESULTS.read_text(encoding="utf-8"))["runs"] if RESULTS.is_file() else []
    RESULTS.write_text(json.dumps(machine.about(None) | {"runs": [*before, run]}, indent=2) + "\n", encoding="utf-8")
    program.answer(**run)


if __name__ == "__main__":
    main()
