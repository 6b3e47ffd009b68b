"""What a job that is not over keeps beside its OUT, in the folder `OUT.mining`: vectors, and rows part by part.

A part is there whole or not at all; parts of other settings are thrown away, vectors are known by their own key.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.files import disk, flock

SUFFIX = ".mining"
ABOUT = "mining.json"


class Work:
    """The folder of a job, held by this process; `path` is where vectors may lie."""

    def __init__(self, out: Path, path: Path):
        self.out, self.path = out, path

    def begin(self, key: str, note: Callable[[str], None]) -> None:
        """Take up the parts of the settings that `key` stands for; parts of others go."""
        about = self.path / ABOUT
        if about.is_file() and disk.read_object(about).get("key") != key:
            note(f"{self.path} holds rows of another call; they are mined again")
            for part in self.path.glob("part-*"):
                part.unlink()
        with disk.replacing_file(about) as partial:
            partial.write_text(json.dumps({"key": key}) + "\n", encoding="utf-8")

    def part(self, number: int) -> dict | None:
        """What was counted in a part that is done."""
        counted = self._name(number).with_suffix(".json")
        return disk.read_object(counted) if counted.is_file() and self._name(number).is_file() else None

    def write(self, number: int, rows: Iterable[dict], counted: dict) -> None:
        """Keep a part's rows, and what was counted in it. Raises JobError where the disk is full."""
        with disk.replacing_file(self._name(number)) as partial, partial.open("wb") as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        with disk.replacing_file(self._name(number).with_suffix(".json")) as partial:
            partial.write_text(json.dumps(counted) + "\n", encoding="utf-8")

    def finish(self, parts: int) -> None:
        """Make OUT of the parts, in their order, whole or not at all, and take the folder away."""
        with disk.replacing_file(self.out) as partial, partial.open("wb") as file:
            for number in range(parts):
                with self._name(number).open("rb") as part:
                    shutil.copyfileobj(part, file, 1 << 20)
        disk.remove(self.path)

    def _name(self, number: int) -> Path:
        return self.path / f"part-{number:06}.jsonl"


def folder_of(out: Path) -> Path:
    """Where a job keeps what it has done."""
    return out.with_name(out.name + SUFFIX)


def require_free(out: Path) -> None:
    """Raise CallError where OUT is no name for a new file of JSON lines."""
    if out.suffix != ".jsonl":
        raise CallError(f"{out}: expected a name that ends in .jsonl")
    if out.exists() or out.is_symlink():
        raise CallError(f"{out} is there already; choose a new name or remove it")
    if folder_of(out).exists() and not (folder_of(out) / flock.LOCK).is_file():
        raise CallError(f"{folder_of(out)} is in the way: it holds no unfinished mining. Choose another OUT")


@contextmanager
def opened(out: Path) -> Iterator[Work]:
    """The folder of a job, made where there is none. Raises CallError where another process works in it."""
    path = folder_of(out)
    try:
        disk.make_folder(path)
        with flock.held(path, f"Another process mines into {path} now; wait for it, or choose another OUT"):
            yield Work(out, path)
    except OSError as error:
        raise JobError(f"Could not write into {path}: {disk.cause(error)}") from error
