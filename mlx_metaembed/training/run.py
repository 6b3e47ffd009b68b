"""A run from its beginning to its end: its folder locked, everything prepared, the loop, and a model folder."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path

from mlx_metaembed.engine import ALONE, World
from mlx_metaembed.engine.world import any_rank
from mlx_metaembed.errors import CallError, JobError
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
    world: World = ALONE,
) -> Result:
    """Run a recipe to its end; `resume` continues the unfinished run in `recipe.out` to the same weights.

    `rows` has dicts in the place of a data set's file, by its name ("data" where the recipe has no tables); `losses`
    are more losses for its objectives: classes as in LOSSES, or functions of a Sample (see losses/). `world` are the
    processes that train it together, of which this is one; each makes the same call, and rank 0 alone writes.

    Raises CallError for a wrong recipe, model or data, or a folder in which another process runs, and nothing is
    written; JobError where the run fails, StoppedError where one of the `callbacks` ends it: the last checkpoint stays,
    and the message says how to go on. Without callbacks its progress is shown on stderr.
    """
    stages = Stages() if callbacks is None and world.rank == 0 else None
    shown = [Callbacks(prepared=stages.prepared, step=stages.step, evaluated=stages.evaluated)] if stages else []
    watch, out = together(shown if callbacks is None else callbacks), Path(recipe.out)
    try:
        with closing(stages) if stages else nullcontext(), Lock(out / SIDE, watch.note) as lock:
            given = Given({name: list(each) for name, each in (rows or {}).items()}, losses or {})
            return _run(recipe, watch, Call(given, resume, lock, watch.note, watch.prepared, ExitStack(), world))
    except OSError as error:
        begun = f". When that is mended: {resume_command(out)}" if recipe.out and claim.unfinished(out) else ""
        raise JobError(f"The run in {recipe.out} could not go on: {disk.cause(error)}{begun}") from error


def _run(recipe: Recipe, watch: Callbacks, call: Call) -> Result:
    """The steps, and the folder made a model; of a run that was interrupted in that, what was left to do."""
    out, page = Path(recipe.out), partial(finish.with_page, note=watch.note)
    if call.resume and recipe.out:
        claim.require_unfinished(out)
        _require_steps(out, call)
        if call.leads:
            call.lock.acquire()
        if call.world.size == 1 and (done := finish.resumed(out, call.lock, page)) is not None:
            return Result(**done)
    with call.until as until:
        parts = prepare(recipe, call)
        tracked = trackers.begin(parts.recipe, out, parts.run, until) if call.leads else []
        loop = Loop(parts, together([watch, *tracked]))
        result = loop.run()
    if call.leads:
        own = asdict(result)
        result = Result(**finish.finish(out, loop.chosen, call.lock, page, stores=parts.stores, result=own))
    # On no rank is the run over before the model is there.
    any_rank(call.world, parts.engine, False)
    return result


def _require_steps(out: Path, call: Call) -> None:
    """Raise CallError where several processes would resume a run that has no step left."""
    if call.world.size > 1 and finish.is_record(claim.read(out)):
        raise CallError(f"{out} has done its last step; one process alone makes it a model: {resume_command(out)}")
