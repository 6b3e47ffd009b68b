"""Walks a run with a kill at each call that changes its folder: `python killing.py ENGINE MODEL DATA FOLDER`.

With ROWS EVERY behind, the run is evaluated, its best step is the second of four, and one call of EVERY is killed at.

Everything is imported, and no engine has computed, when the process is copied for each kill: a copy starts in no time.
Prints how many kills were made good.
"""

import gc
import importlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mlx_metaembed.errors import CallError
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import train

CHANGES = {"os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.truncate", "os.symlink"}
REFUSED, KILLED = 2, 128 + signal.SIGKILL


class Killer:
    """An audit hook: ends the process, as SIGKILL does, before the change with a number to what lies below a folder.

    A file that was to be written has half a line in it by then where the number is even.
    """

    def __init__(self, folder: Path, at: int):
        self.folder, self.at, self.seen, self.removals = f"{folder}/", at, 0, 0

    def __call__(self, event: str, arguments: tuple) -> None:
        if self.seen == self.at or not self._changes(event, arguments):
            return
        self.seen += 1
        if self.seen == self.at:
            if event == "open" and self.at % 2 == 0:
                Path(arguments[0]).write_bytes(b'{"ha')
            os.kill(os.getpid(), signal.SIGKILL)

    def _changes(self, event: str, arguments: tuple) -> bool:
        if event == "open":
            path, _, flags = arguments
            return str(path).startswith(self.folder) and bool(flags & (os.O_WRONLY | os.O_RDWR))
        if event not in CHANGES:
            return False
        # shutil.rmtree names what it removes by the folder that it has open. A folder that is half-removed by two
        # files stands for all that lack more.
        inside = event in ("os.remove", "os.rmdir") and arguments[-1] not in (-1, None)
        self.removals = self.removals + 1 if inside else 0
        return self.removals in (1, 2) or any(str(each).startswith(self.folder) for each in arguments)


def child(work: Callable[[], object]) -> int:
    """How a copy of this process ends that does some work: 0, 2 for a refusal, 137 for a kill, 1 for anything else."""
    number = os.fork()
    if number:
        status = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
        return status if status >= 0 else 128 - status
    status = 1
    try:
        work()
        status = 0
    except CallError as error:
        print(error)
        status = REFUSED
    except BaseException as error:
        print(type(error), error)
    finally:
        sys.stdout.flush()
        os._exit(status)


def killed(recipe: Recipe, at: int, *, resume: bool = False) -> bool:
    """Whether a run came to the change at which it is killed; else it has ended by itself."""

    def work() -> None:
        sys.addaudithook(Killer(Path(recipe.out).parent, at))
        train(recipe, resume=resume)

    status = child(work)
    assert status in (0, REFUSED, KILLED), (at, status)
    return status == KILLED


def go_on(recipe: Recipe) -> None:
    """What the user does: resume; where nothing was begun, begin; where the run has finished, nothing."""
    status = child(lambda: train(recipe, resume=True))
    if status == REFUSED and not Path(recipe.out, "modules.json").exists():
        status = child(lambda: train(recipe))
    assert status == 0 or Path(recipe.out, "modules.json").exists()


def state(folder: Path) -> dict[str, bytes | None]:
    """Every name below a folder, with the content of files; of those that have times in them, the name alone."""
    timed = ("metrics.jsonl", "result.json", "report.html")
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() and path.name not in timed else None
        for path in folder.rglob("*")
    }


def imported(modules: Path) -> None:
    """Import what a file names, for all children at once; what is there then is left out of collections."""
    for name in modules.read_text().split():
        # Compiled modules register names that can't be imported.
        with suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def whole(recipe: Recipe, modules: Path) -> None:
    """A run from its beginning to its end; the names of the modules that it imports go into a file."""
    train(recipe)
    modules.write_text(" ".join(sorted(sys.modules)))


def main(engine: str, model: str, data: str, folder: str, rows: str = "", every: str = "1") -> None:
    out, modules = Path(folder) / "runs" / "out", Path(folder) / "modules"
    out.parent.mkdir()
    settings = {"batch_size": 8, "iters": 2, "save_every": 1, "save_total_limit": 1, "dense": 8}
    if rows:
        # At a step of which a checkpoint is kept, and at others.
        settings |= {"mine_every": 3}
        settings |= {"eval_data": rows, "eval_steps": 1, "iters": 4, "learning_rate": 0.005}
    recipe = Recipe(model=model, data=data, out=str(out), engine=engine, **settings)
    assert child(lambda: whole(recipe, modules)) == 0
    if rows:
        print("best step", json.loads((out / "metaembed" / "best.json").read_text())["step"])
    imported(modules)
    shutil.rmtree(out)
    assert not killed(recipe, 0)
    expected, at = state(out.parent), 0
    while True:
        at += int(every)
        shutil.rmtree(out)
        if not killed(recipe, at):
            break
        if at % 4 == 0:
            # The second kill comes to another place each time.
            killed(recipe, at * 7 % 61 + 1, resume=True)
        go_on(recipe)
        found = state(out.parent)
        assert found.keys() == expected.keys(), (at, found.keys() ^ expected.keys())
        assert found == expected, (at, [name for name, content in found.items() if content != expected[name]])
    print((at - 1) // int(every))


if __name__ == "__main__":
    main(*sys.argv[1:])
