"""A run measured beside its base on held-out data: rows for the page, and answers before and after, by text.

Any task will do. What changed in a figure is drawn on the same rows before and after, and has its interval.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mlx_metaembed.data import Kinds
from mlx_metaembed.data.rows import Retrieval
from mlx_metaembed.embedder import Embedder
from mlx_metaembed.evaluate import bootstrap
from mlx_metaembed.evaluate.changed import changed
from mlx_metaembed.evaluate.coded import at_width
from mlx_metaembed.evaluate.judgement import Judgement
from mlx_metaembed.evaluate.mistakes import TEXT, mistakes
from mlx_metaembed.evaluate.model import Sides, encode, full_width, measured
from mlx_metaembed.evaluate.retrieval import RetrievalTask, masked
from mlx_metaembed.evaluate.rows import Translations
from mlx_metaembed.evaluate.seen import Seen, seen
from mlx_metaembed.evaluate.task import Task
from mlx_metaembed.evaluate.tasks import of
from mlx_metaembed.search.exact import rankings, score_blocks

WORDS = {"corpus": "texts to find"}
STORED = ("int8", "binary")
"""Codes that every model is measured as."""
QUESTIONS, HITS = 6, 3
"""What is shown: questions, and hits of each."""


def compared(
    before: Callable[[], Embedder] | None,
    after: Callable[[], Embedder],
    rows: Kinds | Task,
    *,
    widths: Sequence[int],
    data: str,
    progress: Callable[[int], object],
    draws: int = 0,
) -> dict:
    """`{"data", "task", "note", "rows", "answers", "scores", "neighbours", "mistakes"}` for the page of a run.

    `before` and `after` load a model each, one at a time; `widths` are those that both are measured at, as far as a
    model has them. Names of rows are "before@384" and "after@384"; with `draws` each figure has its interval beside it,
    and after training also what changed (`ndcg@10_difference`, its interval, `ndcg@10_p`). Answers are those to
    questions spread evenly over the data; `scores` are `{"stage", "groups": [{"name", "low", "width", "counts"}]}`,
    histograms of what belongs together and of what does not; for the others see `changed` and `mistakes`.

    Raises CallError as `measure_model` does.
    """
    task = of(rows)
    rows = _as_shown(task)
    lines: list[dict] = []
    found: dict[str, list[tuple[list[dict], int | None]]] = {}
    stages: dict[str, Seen] = {}
    base: dict[str, Judgement] = {}
    for stage, load in (("before", before), ("after", after)):
        if load is None:
            continue
        embedder = load()
        heads = [name for name, head in embedder.heads.items() if head.gives == "code"]
        cut = list(dict.fromkeys([embedder.dimensions, *(each for each in widths if each <= embedder.dimensions)]))
        sides = encode(embedder, task, progress=progress)
        for each in measured(embedder, task, cut, [*STORED, *heads], sides=sides):
            line = each.line(draws, task.seed) | {"name": f"{stage}@{each.name}"}
            if draws and stage == "after" and each.name in base:
                settings = {"draws": draws, "seed": task.seed}
                line |= bootstrap.compared(base[each.name], each.judgement, task.figures, **settings)
            lines.append(line)
            if stage == "before":
                base[each.name] = each.judgement
        if isinstance(rows, Retrieval):
            found[stage] = _found(embedder, rows, sides)
        if (own := seen(full_width(embedder, sides), rows)) is not None:
            stages[stage] = own
        # Before the next one is loaded.
        del embedder
    held = ", ".join(f"{count:,} {WORDS.get(what, what)}" for what, count in task.counts.items())
    return {
        "data": Path(data).name,
        "task": task.name,
        "note": held,
        "rows": lines,
        "answers": _answers(rows, found),
        "scores": [_scores(stage, each) for stage, each in stages.items()],
        "neighbours": changed(rows, stages),
        "mistakes": mistakes(rows, stages),
    }


def _as_shown(task: Task) -> object:
    """The rows of a task as their texts are shown: sentences of two sides as a search."""
    if isinstance(task, RetrievalTask) and not task.ignore_identical_ids:
        return replace(task.rows, itself={})
    return task.rows.retrieval() if isinstance(task.rows, Translations) else task.rows


def _scores(stage: str, found: Seen) -> dict:
    groups = [{"name": name} | histogram.as_json() for name, histogram in found.groups.items()]
    return {"stage": stage, "groups": groups}


def _answers(rows: object, found: dict[str, list[tuple[list[dict], int | None]]]) -> list[dict]:
    """The questions with what each stage found."""
    if not found:
        return []
    answers = [{"query": rows.queries[at]} for at in _questions(rows)]
    for stage, hits in found.items():
        for answer, (shown, right) in zip(answers, hits, strict=True):
            answer |= {stage: shown, f"right_{stage}": right}
    return answers


def _questions(rows: Retrieval) -> list[int]:
    """Some of the queries, evenly over the data, so that nobody chose them."""
    return list(dict.fromkeys(np.linspace(0, len(rows.queries) - 1, QUESTIONS).round().astype(int).tolist()))


def _found(embedder: Embedder, rows: Retrieval, sides: Sides) -> list[tuple[list[dict], int | None]]:
    """The first hits of each question, and the rank of its first right one."""
    chosen = _questions(rows)
    settings = {"similarity": embedder.folder.similarity_fn_name, "renormalize": embedder.compares_by_cosine}
    coded = at_width(sides[0][chosen], sides[1], embedder.dimensions, **settings)
    itself = {line: rows.itself[at] for line, at in enumerate(chosen) if at in rows.itself}
    blocks = masked(score_blocks(coded.queries, coded.stored, similarity=coded.similarity), itself)
    answers = []
    for question, hits, scores in zip(chosen, *rankings(blocks, len(rows.corpus)), strict=True):
        relevant = rows.relevant[question]
        right = next((rank for rank, hit in enumerate(hits.tolist(), 1) if hit in relevant), None)
        shown = [
            {"score": score, "text": rows.corpus[hit][:TEXT], "right": hit in relevant}
            for hit, score in zip(hits[:HITS].tolist(), scores[:HITS].tolist(), strict=True)
            if np.isfinite(score)
        ]
        answers.append((shown, right))
    return answers
