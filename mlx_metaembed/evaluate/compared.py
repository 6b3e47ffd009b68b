"""A run measured beside its base on held-out data: rows for the page, and answers before and after, by text."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mlx_metaembed.data import Kinds
from mlx_metaembed.data.rows import Pairs, Retrieval
from mlx_metaembed.embedder import Embedder
from mlx_metaembed.evaluate.changed import changed
from mlx_metaembed.evaluate.coded import at_width
from mlx_metaembed.evaluate.mistakes import TEXT, mistakes
from mlx_metaembed.evaluate.model import Sides, counts, encode, full_width, measure_model
from mlx_metaembed.evaluate.seen import Seen, seen
from mlx_metaembed.search.exact import rankings, score_blocks

WORDS = {"corpus": "texts to find"}
STORED = ("int8", "binary")
"""Codes that every model is measured as."""
QUESTIONS, HITS = 6, 3
"""What is shown: questions, and hits of each."""


def compared(
    before: Callable[[], Embedder] | None,
    after: Callable[[], Embedder],
    rows: Kinds,
    *,
    widths: Sequence[int],
    data: str,
    progress: Callable[[int], object],
) -> dict:
    """`{"data", "note", "rows", "answers", "scores", "neighbours", "mistakes"}` of rows of data, for the page of a run.

    `before` and `after` load a model each, one at a time; `widths` are those that both are measured at, as far as a
    model has them. Names of rows are "before@384" and "after@384". Answers are those to questions spread evenly over
    the data; `scores` are `{"stage", "groups": [{"name", "low", "width", "counts"}]}`, histograms of what belongs
    together and of what does not; for the others see `changed` and `mistakes`.

    Raises CallError as `measure_model` does.
    """
    rows = rows.retrieval() if isinstance(rows, Pairs) else rows
    lines: list[dict] = []
    found: dict[str, list[tuple[list[dict], int | None]]] = {}
    stages: dict[str, Seen] = {}
    for stage, load in (("before", before), ("after", after)):
        if load is None:
            continue
        embedder = load()
        heads = [name for name, head in embedder.heads.items() if head.gives == "code"]
        cut = list(dict.fromkeys([embedder.dimensions, *(each for each in widths if each <= embedder.dimensions)]))
        sides = encode(embedder, rows, progress=progress)
        measured = measure_model(embedder, rows, cut, [*STORED, *heads], sides=sides)
        lines += [line | {"name": f"{stage}@{line['name']}"} for line in measured]
        if isinstance(rows, Retrieval):
            found[stage] = _found(embedder, rows, sides)
        if (own := seen(full_width(embedder, sides), rows)) is not None:
            stages[stage] = own
        # Before the next one is loaded.
        del embedder
    held = ", ".join(f"{count:,} {WORDS.get(what, what)}" for what, count in counts(rows).items())
    return {
        "data": Path(data).name,
        "note": held,
        "rows": lines,
        "answers": _answers(rows, found),
        "scores": [_scores(stage, each) for stage, each in stages.items()],
        "neighbours": changed(rows, stages),
        "mistakes": mistakes(rows, stages),
    }


def _scores(stage: str, found: Seen) -> dict:
    groups = [{"name": name} | histogram.as_json() for name, histogram in found.groups.items()]
    return {"stage": stage, "groups": groups}


def _answers(rows: Kinds, found: dict[str, list[tuple[list[dict], int | None]]]) -> list[dict]:
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
    blocks = score_blocks(coded.queries, coded.stored, similarity=coded.similarity)
    answers = []
    for question, hits, scores in zip(chosen, *rankings(blocks, len(rows.corpus)), strict=True):
        relevant = rows.relevant[question]
        right = next((rank for rank, hit in enumerate(hits.tolist(), 1) if hit in relevant), None)
        shown = [
            {"score": score, "text": rows.corpus[hit][:TEXT], "right": hit in relevant}
            for hit, score in zip(hits[:HITS].tolist(), scores[:HITS].tolist(), strict=True)
        ]
        answers.append((shown, right))
    return answers
