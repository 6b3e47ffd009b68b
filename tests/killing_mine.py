"""Walks a job of mining with a kill at each call that changes its folder: `python killing_mine.py ENGINE MODEL DATA
FOLDER SEARCH`. Prints how many kills were made good.
"""

import shutil
import sys
from functools import partial
from pathlib import Path

from killing import KILLED, Killer, child, imported, state

from mlx_metaembed import data, embedder
from mlx_metaembed.files import partials
from mlx_metaembed.mining import lists, run
from mlx_metaembed.mining.settings import Settings


def main(engine: str, model: str, rows: str, folder: str, search: str) -> None:
    # Several parts of a few rows, and lists of so few texts.
    run.PART, lists.SHARE = 2, 2
    job, modules = Path(folder) / "job", Path(folder) / "modules"
    job.mkdir()
    settings = Settings(num_negatives=2, relative_margin=None, search=search)

    def mine(at: int = 0) -> None:
        sys.addaudithook(Killer(job, at))
        loaded = embedder.load(model, engine=engine)
        run.mine(loaded, data.read(rows, training=True), job / "out.jsonl", settings)

    def whole() -> None:
        mine()
        modules.write_text(" ".join(sorted(sys.modules)))

    assert child(whole) == 0
    imported(modules)
    expected, at = state(job), 0
    assert list(expected) == ["out.jsonl"]
    while True:
        at += 1
        shutil.rmtree(job)
        job.mkdir()
        if (status := child(partial(mine, at))) != KILLED:
            assert status == 0, (at, status)
            break
        if "out.jsonl" not in state(job):
            assert child(mine) == 0, at
        # A kill behind the last rename leaves the job's folder, or what the next writer clears away.
        left = {name.split("/")[0] for name in state(job)} - {"out.jsonl", "out.jsonl.mining"}
        assert all(map(partials.is_partial, left)), (at, left)
        assert (job / "out.jsonl").read_bytes() == expected["out.jsonl"], at
    print(at - 1)


main(*sys.argv[1:])
