"""What makes a folder a run's: its settings, and `run.json`, which is there until the last of the run is tidied away.

The order of the writes is what a kill may rely on: `run.json` first, then `recipe.toml`, and the folder is begun; it
is finished when `run.json` is gone.
"""

import shlex
import uuid
from contextlib import suppress
from pathlib import Path

from mlx_metaembed import folder as folders
from mlx_metaembed import recipe as recipes
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk, partials
from mlx_metaembed.folder import SIDE
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import lock as locks
from mlx_metaembed.training.lock import Lock

RUN, SETTINGS, LAST = f"{SIDE}/run.json", f"{SIDE}/recipe.toml", "modules.json"


def resume_command(out: str | Path) -> str:
    """The command that goes on with a run."""
    return f"metaembed train --resume --out {shlex.quote(str(out))}"


def begun(out: Path) -> bool:
    """Whether a folder holds a run, finished or not."""
    return (out / SETTINGS).is_file()


def unfinished(out: Path) -> bool:
    """Whether a folder holds a run that was begun and has not finished."""
    return begun(out) and ((out / RUN).is_file() or not (out / LAST).is_file())


def require_free(out: Path, lock: Lock) -> None:
    """Raise CallError where a folder holds an unfinished run or anything else, or another process begins one there."""
    lock.require_free()
    if unfinished(out):
        raise CallError(
            f"{out} holds an unfinished run. Continue it with: {resume_command(out)}; or choose a new --out"
        )
    if not _scarcely_begun(out):
        disk.require_vacant(out)


def require_unfinished(out: Path) -> None:
    """Raise CallError where a folder holds no run, or one that has finished or can't be told from others."""
    if not begun(out):
        raise CallError(f"{out} holds no run; there is nothing to resume. Start one without --resume")
    if not unfinished(out):
        raise CallError(f"{out} holds a finished run; there is nothing to resume. Start one without --resume")
    if not (out / RUN).is_file() and folders.newest_checkpoint(out):
        raise CallError(f"{out / RUN} is missing, by which a run knows its checkpoints. {_onward(out)}")


def begin(out: Path, recipe: Recipe, lock: Lock, *, resume: bool) -> str:
    """Make the folder the run's, or go on with it, and remove what a killed process left half-written: the run's id.

    Raises CallError where another process was quicker, JobError or OSError where the disk is full; what this call
    made is then gone again.
    """
    there = out.is_dir()
    try:
        (out / SIDE).mkdir(parents=True, exist_ok=True)
        lock.acquire()
        if not resume:
            require_free(out, lock)
        for folder in (out, out / SIDE):
            partials.clear(folder, every=True)
        run = read(out)["run"] if resume else ""
        if not run:
            run = uuid.uuid4().hex[:16]
            _write(out, {"run": run})
        recipes.write(recipe, out / SETTINGS)
    except BaseException:
        if lock.held and not begun(out):
            (out / RUN).unlink(missing_ok=True)
            lock.release()
        with suppress(OSError):
            (out / SIDE).rmdir()
            if not there:
                out.rmdir()
        raise
    return run


def read(out: Path) -> dict:
    """What `run.json` says: the run's id, and from the end of the last step on what is left to do.

    The id is empty where settings alone are there. Raises CallError where the file is damaged.
    """
    if not (out / RUN).is_file():
        return {"run": ""}
    found = disk.read_json(out / RUN)
    if isinstance(found, dict) and isinstance(found.get("run"), str) and found["run"]:
        return found
    raise CallError(f"{out / RUN} is damaged; expected the run's id. {_onward(out)}")


def record(out: Path, *, checkpoint: str, stores: list[str], result: dict) -> None:
    """Say that the last step is done: from here on the folder only has to become the model's."""
    _write(out, read(out) | {"checkpoint": checkpoint, "stores": stores, "result": result})


def settings(out: Path) -> dict:
    """The settings of the run in a folder. Raises CallError where there is none, or they can't be read."""
    if not begun(out):
        raise CallError(f"{out} holds no run; there is nothing to resume. Start one without --resume")
    try:
        found = recipes.read(out / SETTINGS)
        Recipe(**found)
    except CallError as error:
        raise CallError(f"{out / SETTINGS} is damaged, or was edited:\n{error}{kept_settings(out)}") from None
    return found


def kept_settings(out: Path) -> str:
    """The advice to take a run's settings from its newest checkpoint; nothing where it has none."""
    newest = folders.newest_checkpoint(out)
    if newest is None or not (newest / SETTINGS).is_file():
        return ""
    copied = shlex.join(["cp", str(newest / SETTINGS), str(out / SETTINGS)])
    return f"\nThe newest checkpoint has them as they were: {copied}"


def _write(out: Path, content: dict) -> None:
    with disk.replacing_file(out / RUN) as partial:
        disk.write_json(partial, content)


def _onward(out: Path) -> str:
    newest = folders.newest_checkpoint(out)
    model = f", for which {newest} can be the --model" if newest else ""
    return f"The run can't be resumed; start one with a new --out{model}"


def _scarcely_begun(out: Path) -> bool:
    """Whether all that a folder holds is what a run that was killed while it claimed the folder leaves."""
    if begun(out) or not (out / SIDE).is_dir() or list(out.iterdir()) != [out / SIDE]:
        return False
    own = (locks.FILE, Path(RUN).name)
    return all(path.name in own or partials.is_partial(path.name) for path in (out / SIDE).iterdir())
