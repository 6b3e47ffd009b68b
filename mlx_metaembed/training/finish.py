"""A run's folder becomes a model folder: the last checkpoint's files are linked into it, its weights averaged with the
base's where that is asked for, and what the run needed goes.

Whatever is interrupted here is done again by the next call: nothing is undone, `modules.json` is linked last, and
`run.json`, which says what is left to do, goes after everything else.
"""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk, partials, safetensors
from mlx_metaembed.training import averaging, checkpoint, claim, mined_negatives, quantization_aware
from mlx_metaembed.training.checkpoint import CHECKSUMS, METRICS
from mlx_metaembed.training.claim import LAST, RUN
from mlx_metaembed.training.lock import Lock

KEPT_BACK = {Path(CHECKSUMS), Path(METRICS), Path(mined_negatives.FILE)}
"""Files of a checkpoint that are no part of the model."""
STORE = re.compile(r"(tokens|pooled|taught)-[0-9a-f]{16}")


Page = Callable[[dict], dict]
"""Writes a result's page, and gives the result with it."""


def with_page(result: dict, *, note: Callable[[str], None]) -> dict:
    """The result with its page, both kept beside the model; a page that can't be written fails no run."""
    from mlx_metaembed import report

    path = report.of_result(Path(result["out"]), result, note)
    return result | {"report": path and str(path)}


def finish(out: Path, last: Path, lock: Lock, page: Page, *, stores: list[str], result: dict) -> dict:
    """The result, once the run's folder is the model folder of its last checkpoint, or its best one, and has its page;
    `stores` are the folders that go with the run.
    """
    claim.record(out, checkpoint=last.name, stores=stores, result=result)
    return _tidy(out, claim.read(out), lock, page)


def resumed(out: Path, lock: Lock, page: Page) -> dict | None:
    """The result of a run whose last step was done when it was interrupted, tidied up to its end; None for others.

    Raises CallError where the last checkpoint is damaged.
    """
    left = claim.read(out)
    if not is_record(left):
        return None
    if not (out / LAST).is_file() and not checkpoint.is_whole(out, left["run"], left["checkpoint"]):
        # The user took that checkpoint away: the run goes on from the one before.
        return None
    return _tidy(out, left, lock, page)


def is_record(left: dict) -> bool:
    """Whether `run.json` says that the last step is done."""
    stores = left.get("stores")
    return (
        isinstance(left.get("result"), dict)
        and isinstance(left.get("checkpoint"), str)
        and isinstance(stores, list)
        and all(isinstance(name, str) and STORE.fullmatch(name) for name in stores)
    )


def _tidy(out: Path, left: dict, lock: Lock, page: Page) -> dict:
    last = out / left["checkpoint"]
    if not (out / LAST).is_file():
        _link(out, last)
    for folder in (out, *(path for path in out.iterdir() if path.is_dir() and not path.name.startswith("checkpoint-"))):
        partials.clear(folder, every=True)
    for name in left["stores"]:
        if (out / name).is_dir():
            disk.remove(out / name)
    checkpoint.remove(out, left["run"])
    result = page(left["result"])
    lock.release()
    (out / RUN).unlink(missing_ok=True)
    return result


def _link(out: Path, last: Path) -> None:
    """Give every file of a checkpoint a second name in the run's folder, `modules.json` last; the run's log stays.

    Weights that are averaged with the base's, or rounded, are written anew.
    """
    if not (last / LAST).is_file():
        raise CallError(f"{last} is missing, of which the model is made")
    names = [path.relative_to(last) for path in last.rglob("*")]
    for name in names:
        if (last / name).is_dir():
            (out / name).mkdir(parents=True, exist_ok=True)
    anew = averaging.files(last) | quantization_aware.files(last)
    files = [name for name in names if (last / name).is_file() and name not in KEPT_BACK]
    for name in sorted(files, key=lambda name: (name == Path(LAST), name)):
        # A file that has its second name already keeps it: to rename one name of a file to another does nothing.
        with disk.replacing_file(out / name) as partial:
            if name in anew:
                safetensors.write(partial, anew[name])
                continue
            try:
                os.link(last / name, partial)
            except OSError:
                shutil.copyfile(last / name, partial)
