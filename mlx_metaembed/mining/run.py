"""Mining from beginning to end: vectors, the nearest texts, their judge, the choice, and rows part by part.

A job that was ended is gone on with by the same call: see work.py.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from mlx_metaembed.data.rows import Kinds, Texts
from mlx_metaembed.embedder import Embedder
from mlx_metaembed.engine import footprint
from mlx_metaembed.errors import JobError
from mlx_metaembed.files import disk
from mlx_metaembed.files.sizes import format_size
from mlx_metaembed.mining import counts, tasks, work
from mlx_metaembed.mining.judges import Judge
from mlx_metaembed.mining.part import Part
from mlx_metaembed.mining.searched import Searched
from mlx_metaembed.mining.settings import Settings
from mlx_metaembed.search.index import Index

PART, JUDGED = 4_096, 256
"""Queries a part: what a job that was ended has to do again. A judge reads every candidate, and takes longer."""
OWN = 2**28
"""Bytes that a process grows by beside its arrays."""
DEFAULTS = Settings()
Advance = Callable[[str, int, int], None]
"""Hears of what stage, how many more are done, and of how many."""


@dataclass(frozen=True)
class Mined:
    """A finished file: its queries, rows, negatives, and what became of the candidates.

    `rows_left_out` had too few negatives, `rows_with_fewer` stand there with fewer; `dropped` counts candidates by the
    bound that dropped them; the scores have their mean, min and max. `search` is "exact", "lists" or "graph", and
    `recall` the share of a query's nearest texts that it finds, measured on some queries.
    """

    out: str
    queries: int
    corpus: int
    rows: int
    negatives: int
    rows_left_out: int
    rows_with_fewer: int
    dropped: dict[str, int]
    positive_score: dict[str, float]
    negative_score: dict[str, float]
    search: str
    recall: float
    range_max: int
    judge: str | None


def mine(
    model: Embedder,
    rows: Kinds,
    out: str | Path,
    settings: Settings = DEFAULTS,
    *,
    source: object = "The data",
    corpus: Texts | None = None,
    index: Index | None = None,
    add_positives: bool = False,
    judge: Judge | None = None,
    cache: Path | None = None,
    note: Callable[[str], None] = lambda text: None,
    advance: Advance = lambda what, count, of: None,
) -> Mined:
    """What was mined, with the rows in the file `out`: every query of `rows` with negatives out of a corpus.

    The corpus is `corpus`, or what an `index` of the model holds, or what `rows` have themselves; positives that
    `corpus` lacks become part of it with `add_positives`. `cache` is a folder that keeps vectors for other calls.
    Raises CallError for settings, rows or a corpus that can't be, JobError where no row comes out or memory is over.
    """
    out, before = Path(out), footprint.now()
    settings.check()
    work.require_free(out)
    task = tasks.of(rows, source, corpus, index, add=add_positives)
    tasks.require_enough(task, settings, "The corpus")
    last_rank = settings.last_rank(task.most_positives, judged=judge is not None)
    searched = Searched(model, task, settings, index)
    if cache is not None:
        disk.make_folder(cache)
    with work.opened(out) as job:
        size = JUDGED if judge else PART
        about = {"settings": {**asdict(settings), "memory": None}, "part": size, "vectors": searched.keys}
        about |= {"positives": hashlib.sha256(repr(task.positives).encode()).hexdigest(), "judge": judge and judge.key}
        job.begin(hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16], note)
        searched.encode(cache or job.path, task.nearest(last_rank), advance)
        if settings.search == "lists" and searched.way == "exact":
            note("Most lists would have to be looked through here, which saves nothing: every text is compared")
        parts = range(0, len(task.queries), size)
        total = counts.none()
        for number, first in enumerate(parts):
            queries = range(first, min(first + size, len(task.queries)))
            counted = job.part(number)
            if counted is None:
                part = Part(task, settings, searched, judge, queries, last_rank)
                counted = part.counted
                job.write(number, part.rows(), counted)
                _keep_within(settings, before, out)
            total = counts.added(total, counted)
            advance("mining", len(queries), len(task.queries))
        if not total["rows"]:
            raise JobError(_nothing(settings, total, out))
        job.finish(len(parts))
    return Mined(
        out=str(out),
        queries=len(task.queries),
        corpus=len(task.corpus),
        **{name: total[name] for name in ("rows", "negatives", "rows_left_out", "rows_with_fewer", "dropped")},
        positive_score=counts.summary(total["positive_score"]),
        negative_score=counts.summary(total["negative_score"]),
        search=searched.way,
        recall=searched.recall,
        range_max=last_rank,
        judge=judge.name if judge else None,
    )


def _keep_within(settings: Settings, before: int, out: Path) -> None:
    held = footprint.now() - before - OWN
    if held > settings.memory_bytes:
        raise JobError(
            f"Mining held {format_size(held)}, over the budget of {settings.memory}; what is done is kept in "
            f"{work.folder_of(out)}. Give a larger --memory with the same command"
        )


def _nothing(settings: Settings, total: dict, out: Path) -> str:
    dropped = ", ".join(f"{name} {count:,}" for name, count in total["dropped"].items() if count) or "none"
    return (
        f"No query is left with {settings.num_negatives} negatives (candidates dropped: {dropped}). Give a smaller "
        f"margin, a larger --range-max, or --output-format list, which keeps rows with fewer. The vectors are kept in "
        f"{work.folder_of(out)}"
    )
