"""What a run that is not over keeps beside its OUT, in the folder `OUT.training`: weights, moments, the step, the log.

The same command goes on from there; a folder of other settings, texts or another base is begun anew.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.files import disk, flock, safetensors

SUFFIX, STATE = ".training", "state.safetensors"


@dataclass
class State:
    """Where a run stands: steps done, what is learned, the optimizer's moments as `<name>.<number>`, the log."""

    step: int
    weights: dict[str, np.ndarray]
    moments: dict[str, np.ndarray] = field(default_factory=dict)
    log: list[dict] = field(default_factory=list)


class Work:
    """The folder of a run, held by this process."""

    def __init__(self, path: Path, key: str):
        self.path, self._key = path, key

    @property
    def begun(self) -> bool:
        """Whether a step is kept."""
        return (self.path / STATE).is_file()

    def state(self, note: Callable[[str], None]) -> State | None:
        """Where an earlier call of the same key came to; None where there was none."""
        path = self.path / STATE
        if not path.is_file():
            return None
        said = safetensors.metadata(path)
        if said.get("key") != self._key:
            note(f"{self.path} is of another call; it is begun anew")
            return None
        try:
            found, step, log = safetensors.read(path), int(said["step"]), json.loads(said["log"])
        except (KeyError, ValueError):
            raise CallError(f"{path} is damaged; remove {self.path} to begin anew") from None
        weights = {name[2:]: array for name, array in found.items() if name.startswith("w:")}
        moments = {name[2:]: array for name, array in found.items() if name.startswith("m:")}
        note(f"{self.path} has {step:,} steps of a call that was ended; it goes on from there")
        return State(step, weights, moments, log)

    def save(self, state: State) -> None:
        """Keep where the run stands. Raises JobError where the disk is full."""
        arrays = {f"w:{name}": array for name, array in state.weights.items()}
        arrays |= {f"m:{name}": array for name, array in state.moments.items()}
        said = {"key": self._key, "step": str(state.step), "log": json.dumps(state.log)}
        with disk.replacing_file(self.path / STATE) as partial:
            safetensors.write(partial, arrays, metadata=said)

    def remove(self) -> None:
        """Take the folder away: the run is over."""
        disk.remove(self.path)


def key(about: Mapping, texts: list[str], ids: np.ndarray) -> str:
    """What tells a run from others: its settings, its base, its texts and their IDs."""
    made = hashlib.blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=16)
    for text in texts:
        made.update(text.encode("utf-8", "surrogatepass") + b"\0")
    made.update(np.ascontiguousarray(ids, np.int64).tobytes())
    return made.hexdigest()


def folder_of(out: Path) -> Path:
    """Where a run keeps what it has done."""
    return out.with_name(out.name + SUFFIX)


@contextmanager
def opened(out: Path, key: str) -> Iterator[Work]:
    """The folder of a run, made where there is none. Raises CallError where another process works in it."""
    path = folder_of(out)
    if path.exists() and not (path / flock.LOCK).is_file():
        raise CallError(f"{path} is in the way: it holds no unfinished run. Choose another OUT")
    try:
        disk.make_folder(path)
        with flock.held(path, f"Another process trains into {path} now; wait for it, or choose another OUT"):
            yield Work(path, key)
    except OSError as error:
        raise JobError(f"Could not write into {path}: {disk.cause(error)}") from error
