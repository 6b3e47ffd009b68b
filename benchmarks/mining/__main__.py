"""`python -m benchmarks.mining --queries 10000 --corpus 100000`: the nearest texts of all queries, within a budget.

Vectors are written into files as `mine` does, then searched part by part; nothing is encoded. They lie about centres
that lie about others, or fill few of their directions, since vectors of texts are like that and not like noise. With
`--search lists` the time has the making of the lists in it, and how many of the nearest are found is measured once more
on queries that had no part in the choice. The result file has each run's sizes, seconds and peak.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import machine, program
from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.engine import footprint
from mlx_metaembed.mining import lists, vectors
from mlx_metaembed.mining.nearest import block_rows, nearest
from mlx_metaembed.mining.run import PART

RESULTS = Path(__file__).parent.parent / "results" / "mining.json"
CENTRES, OTHERS, DIRECTIONS = 200, 5_000, 40
CHECKED = 200
"""Queries whose nearest are compared with those of every row."""


def drawn(kind: str, path: Path, count: int, width: int, seed: int) -> vectors.Vectors:
    """So many unit vectors in a file; of one kind all have the same centres or directions."""
    random = np.random.default_rng(7)
    centres = random.standard_normal((CENTRES, width), np.float32)[random.integers(0, CENTRES, OTHERS)]
    centres += 0.8 * random.standard_normal((OTHERS, width), np.float32)
    directions = random.standard_normal((DIRECTIONS, width), np.float32)
    directions /= np.arange(1, DIRECTIONS + 1, dtype=np.float32)[:, None] ** 0.5

    def make(first: int, last: int) -> np.ndarray:
        own = np.random.default_rng((seed, first))
        noise = own.standard_normal((last - first, width), np.float32)
        if kind == "clusters":
            return unit(centres[own.integers(0, OTHERS, last - first)] + noise)
        if kind == "directions":
            return unit(own.standard_normal((last - first, DIRECTIONS), np.float32) @ directions + 0.1 * noise)
        return unit(noise)

    return vectors.stored(path, count, width, make)


def main() -> None:
    given = program.settings(
        queries=10_000,
        corpus=100_000,
        width=384,
        nearest=52,
        memory=8 * 10**9,
        parts=0,
        search="exact",
        kind="clusters",
    )
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as work:
        queries = drawn(given.kind, Path(work) / "queries.f32", given.queries, given.width, 0)
        corpus = drawn(given.kind, Path(work) / "corpus.f32", given.corpus, given.width, 1)

        def compared(asked: np.ndarray) -> np.ndarray:
            return nearest(asked, corpus.blocks(block_rows(len(asked), given.memory)), given.nearest, "dot")[0]

        footprint.peak(reset=True)
        began, used, done = time.perf_counter(), time.process_time(), 0
        search = compared
        if given.search == "lists":
            made = lists.stored(Path(work) / "lists", corpus, "dot", lambda rows: None)
            looked, recall = lists.looked_through(made, queries, corpus, given.nearest, given.memory)
            found |= {"lists": len(made), "looked_through": looked, "recall": recall}
            found["lists_seconds"] = time.perf_counter() - began

            def search(asked: np.ndarray) -> np.ndarray:
                return made.nearest(asked, given.nearest, looked, given.memory)[0]

        searched = time.perf_counter()
        for number, first in enumerate(range(0, given.queries, PART)):
            if given.parts and number == given.parts:
                break
            asked = queries.block(first, first + PART)
            rows = search(asked)
            done += len(rows)
        ended = time.perf_counter()
        found |= {"queries_done": done, "seconds": ended - began, "processor_seconds": time.process_time() - used}
        found["peak_bytes"] = footprint.peak()
        found["seconds_for_all"] = searched - began + (ended - searched) * given.queries / done
        if given.search == "lists":
            near = compared(asked[1 : CHECKED + 1])
            pairs = zip(near, rows[1 : CHECKED + 1], strict=True)
            found["recall_checked"] = float(np.mean([np.isin(one, other).mean() for one, other in pairs]))
    run = vars(given) | found
    before = json.loads(RESULTS.read_text(encoding="utf-8"))["runs"] if RESULTS.is_file() else []
    RESULTS.write_text(json.dumps(machine.about(None) | {"runs": [*before, run]}, indent=2) + "\n", encoding="utf-8")
    program.answer(**run)


if __name__ == "__main__":
    main()
