"""A run from its beginning to its end: its folder locked, everything prepared, the loop, and a model folder."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path

from mlx_metaembed.errors import JobError
from mlx_metaembed.files import disk
from mlx_metaembed.folder import SIDE
from mlx_metaembed.progress.display import Stages
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import claim, finish, trackers
from mlx_metaembed.training.call import Call
from mlx_metaembed.training.callbacks import Callbacks, Result, together
from mlx_metaembed.training.claim import resume_command
from mlx_metaembed.training.given import Given
from mlx_metaembed.training.lock import Lock
from mlx_metaembed.training.loop import Loop
from mlx_metaembed.training.prepare import prepare


def train(
    recipe: Recipe,
    *,
    resume: bool = False,
    callbacks: Sequence[Callbacks] | None = None,
    rows: Mapping[str, Iterable[Mapping]] | None = None,
    losses: Mapping[str, Callable] | None = None,
) -> Result:
    """Run a recipe to its end; `resume` continues the unfinished run in `recipe.out` to the same weights.

    `rows` has dicts in the place of a data set's file, by its name ("data" where the recipe has no tables); `losses`
    are more losses for its objectives: classes as in LOSSES, or functions of a Sample (see losses/).

    Raises CallError for a wrong recipe, model or data, or a folder in which another process runs, and nothing is
    written; JobError where the run fails, StoppedError where one of the `callbacks` ends it: the last checkpoint stays,
    and the message says how to go on. Without callbacks its progress is shown on stderr.
    """
    stages = Stages() if callbacks is None else None
    shown = [Callbacks(prepared=stages.prepared, step=stages.step, evaluated=stages.evaluated)] if stages else []
    watch, out = together(shown if callbacks is None else callbacks), Path(recipe.out)
    try:
        with closing(stages) if stages else nullcontext(), Lock(out / SIDE, watch.note) as lock:
            return _run(
                recipe,
                resume,
                lock,
                watch,
                Given({name: list(each) for name, each in (rows or {}).items()}, losses or {}),
            )
    except OSError as error:
        begun = f". When that is mended: {resume_command(out)}" if recipe.out and claim.unfinished(out) else ""
        raise JobError(f"The run in {recipe.out} could not go on: {disk.cause(error)}{begun}") from error


def _run(recipe: Recipe, resume: bool, lock: Lock, watch: Callbacks, given: Given) -> Result:
    """The steps, and the folder made a model; of a run that was interrupted in that, what was left to do."""
    out, page = Path(recipe.out), partial(finish.with_page, note=watch.note)
    if resume and recipe.out:
        claim.require_unfinished(out)
        lock.acquire()
        if (done := finish.resumed(out, lock, page)) is not None:
            return Result(**done)
    with ExitStack() as until:
        parts = prepare(recipe, Call(given, resume, lock, watch.note, watch.prepared, until))
        loop = Loop(parts, together([watch, *trackers.begin(parts.recipe, out, parts.run, until)]))
        result = loop.run()
    return Result(**finish.finish(out, loop.chosen, lock, page, stores=parts.stores, result=asdict(result)))
