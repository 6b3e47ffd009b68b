"""Rows to measure a model on: the task follows from the columns, unless it is named."""

from collections.abc import Collection, Sequence
from pathlib import Path

from mlx_metaembed import data
from mlx_metaembed.data import shapes
from mlx_metaembed.data.header import column_names
from mlx_metaembed.data.rows import Labelled, Pairs, Retrieval, Scored
from mlx_metaembed.data.verdicts import EXPECTED, NEITHER, TOGETHER, verdict
from mlx_metaembed.data.wanted import Wanted
from mlx_metaembed.errors import CallError, nearest
from mlx_metaembed.evaluate.retrieval import RetrievalTask
from mlx_metaembed.evaluate.rows import Candidates, JudgedPairs, Split, Translations
from mlx_metaembed.evaluate.task import K, Task
from mlx_metaembed.evaluate.tasks import TASKS, of

SENTENCES = ("sentence1", "sentence2")
WANTED = {
    "retrieval": Wanted(("anchor", "positive"), ("negative",)),
    "sts": Wanted(SENTENCES, (), ("score",)),
    "pair_classification": Wanted(SENTENCES, (), ("label",)),
    "classification": Wanted(("text",), (), ("label",)),
    "clustering": Wanted(("text",), (), ("label",)),
    "reranking": Wanted(("anchor", "positive"), ("negative",)),
    "bitext": Wanted(SENTENCES),
}
"""What each task asks of rows."""
KINDS = {"sts": Scored, "pair_classification": JudgedPairs}
"""Rows of tasks that no folder gives; the others have labels."""


def read(
    source: str | Path,
    *,
    task: str | None = None,
    figure: str | None = None,
    train: str | Path | None = None,
    ks: Sequence[int] = (K,),
    seed: int = 0,
    ignore_identical_ids: bool = True,
    columns: str = "",
    no_header: bool = False,
    max_characters: int = 100_000,
) -> Task:
    """The task of a file or folder, with its rows; `train` has the texts that a classifier learns from.

    A `figure` chooses among the tasks that the columns allow. Raises CallError as `data.read` does, for a task that
    the columns do not allow, and for rows that no model can be measured on.
    """
    settings = {"columns": columns, "no_header": no_header, "max_characters": max_characters}
    found = column_names(source, columns=columns, no_header=no_header)
    name = _chosen(source, found, task, figure, ks)
    if train is not None and name != "classification":
        raise CallError(f"{source} is for {name}; training texts are for classification: text, label")
    rows = _rows(source, name, found, settings)
    if train is not None:
        rows = Split(rows, _typed(data.read(train, **settings), Labelled, train, name))
    if name == "retrieval":
        searched = rows.retrieval() if isinstance(rows, Pairs) else rows
        made = RetrievalTask(searched, tuple(ks), seed, ignore_identical_ids, shared_corpus=searched is rows)
    else:
        made = TASKS[name](rows, tuple(ks), seed)
    try:
        made.require_measurable()
    except CallError as error:
        raise CallError(f"{source}: {error}") from None
    return made


def allowed(columns: Collection[str]) -> list[str]:
    """The tasks that rows of such columns are for, the one that they are read for unless told first."""
    found = []
    for name, wanted in WANTED.items():
        fits = [shape for shape in wanted.fits(columns) if not wanted.is_pairs or shape.kind == "pairs"]
        used = fits[0].used(columns) if fits else ()
        lost = [each for each in columns if each not in used and shapes.meant(each, fits[0], used)] if fits else []
        labelled = "label" in used or "gold_label" in used
        if fits and not lost and (name != "reranking" or shapes.negatives_of(columns) or labelled):
            found.append(name)
    # Both sides of such pairs are alike, and a label says whether they belong together.
    alike = {*SENTENCES, "label"} <= set(columns)
    return sorted(found, key=lambda name: name != "pair_classification") if alike else found


def _chosen(source: object, columns: Collection[str], task: str | None, figure: str | None, ks: Sequence[int]) -> str:
    """The name of the task that rows are read for."""
    if task is not None and task not in TASKS:
        raise CallError(f"There is no task {task!r}{nearest(task, TASKS) or '.'} Tasks: {', '.join(TASKS)}")
    possible = allowed(columns) if columns else list(TASKS)
    if task and task not in possible:
        others = f"allow {', '.join(possible)}" if possible else "are for no task"
        raise CallError(
            f"{source} has the columns {', '.join(columns)[:300]}, which {others}. {task} takes {TASKS[task].takes}"
        )
    asked = [name for name in possible if figure in TASKS[name].names_of(ks)]
    # Columns that give nothing are refused by the reader, which says what is wrong.
    return task or next(iter(asked or possible), "retrieval")


def _rows(source: str | Path, name: str, columns: Collection[str], settings: dict) -> object:
    """The rows that a task takes."""
    if name == "pair_classification" and columns:
        return _judged(source, columns, settings)
    if name == "sts" and columns and "score" not in columns:
        rows = data.read_rows(source, roles=SENTENCES, targets=("score",), **settings)
        return Scored(rows.texts["sentence1"], rows.texts["sentence2"], rows.targets["score"].tolist(), rows.notes)
    if name == "bitext" and columns:
        rows = data.read_rows(source, roles=SENTENCES, **settings)
        return Translations.of(rows.texts["sentence1"], rows.texts["sentence2"], rows.notes)
    rows = data.read(source, **settings)
    if name == "retrieval":
        return _typed(rows, (Pairs, Retrieval), source, name)
    if name == "reranking":
        return Candidates.of(_typed(rows, Pairs, source, name))
    if name == "bitext":
        pairs = _typed(rows, Pairs, source, name)
        return Translations.of(pairs.anchors, pairs.positives, pairs.notes)
    return _typed(rows, KINDS.get(name, Labelled), source, name)


def _judged(source: str | Path, columns: Collection[str], settings: dict) -> JudgedPairs:
    """Pairs by what their labels say. Raises CallError for labels that say neither."""
    rows = data.read_rows(source, roles=SENTENCES, targets=("label",), **settings)
    # A number beside premise and hypothesis is a class: 0 stands for entailment.
    said = [verdict(label, numbers="premise" not in columns) for label in rows.labels]
    if wrong := [label for label, each in zip(rows.labels, said, strict=True) if each is None]:
        shown = ", ".join(repr(label[:40]) for label in wrong[:5])
        raise CallError(f"{source} has the labels {shown}; {EXPECTED}")
    verdicts = [said[place] for place in rows.targets["label"].tolist()]
    kept = [row for row, each in enumerate(verdicts) if each != NEITHER]
    lost = len(verdicts) - len(kept)
    texts = [[rows.texts[role][row] for row in kept] for role in SENTENCES]
    notes = (*rows.notes, *([f"{lost:,} rows labelled neutral are left out"] if lost else []))
    return JudgedPairs(*texts, [verdicts[row] == TOGETHER for row in kept], notes)


def _typed(rows: object, kind: type | tuple[type, ...], source: object, name: str) -> object:
    """Rows that are of a kind. Raises CallError where they are of another."""
    if not isinstance(rows, kind):
        raise CallError(f"{source} is for {of(rows).name}, not for {name}, which takes {TASKS[name].takes}")
    return rows
