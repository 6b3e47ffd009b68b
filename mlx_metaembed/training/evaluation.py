"""A run's evaluation: rows that the model is measured on before the first step, while it trains, and at the end.

The measures are those of `metaembed eval`, from one text; only where the vectors come from differs.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from mlx_metaembed.data.rows import Rows
from mlx_metaembed.data.same_text import plain
from mlx_metaembed.engine import Engine
from mlx_metaembed.errors import CallError, nearest
from mlx_metaembed.evaluate import model as evaluate
from mlx_metaembed.evaluate.read import read as read_task
from mlx_metaembed.evaluate.task import K, Task
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.heads import Head
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.long_form import named_widths, trained_widths
from mlx_metaembed.training.engine_model import Advance, EngineModel

PREFIX, BY_WIDTH = "eval/", "eval@"
"""What the names of measures begin with in metrics.jsonl: eval/ndcg@10, and eval@96/ndcg@10 at each width and code."""
TIMES = 10
"""Evaluations in a run that does not say how many."""
SHOWN, LONGEST = 3, 60
"""Examples of texts that both files have, and characters of one that are shown."""


@dataclass(frozen=True)
class Evaluation:
    """Rows with the model that is measured on them. `metric` is what the best step is best by; `key` is the rows'."""

    task: Task
    model: EngineModel
    metric: str
    width: int
    code: str | None
    """The code head that is measured, where nothing but code heads trains."""
    key: str
    widths: tuple[int, ...] = ()
    """Those that train, whose metric is measured too."""

    @property
    def texts(self) -> int:
        """How many texts one evaluation encodes."""
        return evaluate.texts_to_encode(self.task)

    def begin(self, out: Path, advance: Advance, note: Callable[[str], None]) -> None:
        """Tokenise the rows' texts into the run's folder."""
        self.model.tokenize(out, advance, note)

    def pool(self, out: Path, engine: Engine, chunk_tokens: int, advance: Advance, note: Callable[[str], None]) -> None:
        """Keep the pooled vectors of the rows' texts, of an engine that has the trunk alone."""
        self.model.pool(out, engine, chunk_tokens, advance, note)

    @property
    def stores(self) -> list[str]:
        """The folders in the run's that go when it ends."""
        return self.model.stores

    def measure(self, engine: Engine, chunk_tokens: int, progress: Advance) -> dict[str, float]:
        """`{"eval/ndcg@10": ...}` of the model that the engine holds now, `metric` first; of several widths and code
        heads also `{"eval@96/ndcg@10": ...}`, the metric of each.

        Raises FloatingPointError where its vectors are not finite.
        """
        self.model.engine, self.model.chunk_tokens = engine, chunk_tokens
        widths = dict.fromkeys((self.width,) if self.code else (self.width, *self.widths))
        codes = [name for name, head in self.model.heads.items() if head.gives == "code"]
        names = list(dict.fromkeys([self.metric, *self.task.beside(self.metric)]))
        settings = {"progress": progress, "figures": names}
        lines = evaluate.measure_model(self.model, self.task, tuple(widths), codes, **settings)
        found = {line["name"]: line for line in lines if not self.code or line["name"] in codes}
        by_width = {f"{BY_WIDTH}{name}/{self.metric}": each[self.metric] for name, each in found.items()}
        line = found[self.code or str(self.width)]
        return {PREFIX + name: line[name] for name in names} | (by_width if len(by_width) > 1 else {})


def every(recipe: Recipe, steps: int) -> int:
    """Steps from one evaluation to the next."""
    return recipe.eval_steps or max(steps // TIMES, 1)


def read(
    recipe: Recipe,
    training: Sequence[Rows],
    folder: ModelFolder,
    heads: Mapping[str, Head],
    tokenizer: Tokenizer,
    note: Callable[[str], None],
) -> Evaluation | None:
    """The evaluation of a recipe as tables, None where it has none; nothing is written.

    Raises CallError where the rows can't be read or measured, give no such metric, or share texts with the training
    rows.
    """
    if not recipe.eval_data:
        return None
    task = _task(recipe)
    for said in task.notes:
        note(f"Evaluation: {said}")
    known = task.figures
    metric = recipe.metric or task.main
    if metric not in known:
        given = sorted(known, key=lambda name: -SequenceMatcher(None, metric, name).ratio())
        raise CallError(
            f"metric = {metric!r}{nearest(metric, known) or '.'} {recipe.eval_data} is for "
            f"{task.name} and gives {', '.join(given)}"
        )
    texts = evaluate.texts_by_prompt(task)
    own = {text for each in texts.values() for text in each}.difference(task.shared)
    _require_apart(recipe, training, own, note)
    # The vectors of a trunk that is frozen whole do not change where no Dense module stands behind it.
    codes_alone = recipe.train == "heads" and not folder.dense
    return Evaluation(
        task,
        EngineModel.of(folder, heads, tokenizer, texts),
        metric,
        width=_width(recipe, folder),
        code=next((name for name, head in heads.items() if head.gives == "code"), None) if codes_alone else None,
        key=_key(task.rows),
        widths=named_widths(recipe),
    )


def _width(recipe: Recipe, folder: ModelFolder) -> int:
    """The largest that an objective trains the vectors by; the first of each is its largest."""
    full = folder.output_dimensions
    return max((widths[0] if widths else full for widths in trained_widths(recipe)), default=full)


def _task(recipe: Recipe) -> Task:
    """The rows, for the task that has the metric; its cut, as in recall@100, is where lists are cut."""
    cut = recipe.metric.partition("@")[2]
    return read_task(
        recipe.eval_data,
        figure=recipe.metric or None,
        ks=(int(cut),) if cut.isascii() and cut.isdigit() and int(cut) else (K,),
        columns=recipe.eval_columns,
        max_characters=recipe.max_characters,
    )


def _require_apart(recipe: Recipe, training: Sequence[Rows], measured: set[str], note: Callable[[str], None]) -> None:
    """Raise CallError where the training rows have texts that are measured, whatever their spaces; a note if told."""
    own = {plain(text): text for text in measured}
    shared = {same for rows in training for text in rows.every_text() if (same := plain(text)) in own}
    if not shared:
        return
    count = f"{len(shared):,} of its {len(own):,} texts" if len(own) > 1 else "its text"
    shown = ", ".join(repr(text if len(text) <= LONGEST else f"{text[:LONGEST]}...") for text in sorted(shared)[:SHOWN])
    trained = ", ".join(table.path or table.name for table in recipe.sources)
    said = f"{recipe.eval_data} shares {count} with the training data {trained}, like {shown}"
    if not recipe.allow_leak:
        raise CallError(
            f"{said}. What is measured there would not hold for texts that are new. Hold other rows out, or go on with "
            "--allow-leak"
        )
    note(f"Evaluation: {said}")


def _key(rows: Any) -> str:
    """16 hex digits for all that rows hold."""
    digest = hashlib.sha256()
    for each in fields(rows):
        if each.compare:
            digest.update(repr(getattr(rows, each.name)).encode())
    return digest.hexdigest()[:16]
