"""What a fit that is not over keeps beside its code, in `.NAME.fitting`: vectors, and the stages of a residual code.

Vectors are known by the model, the texts and the seed, stages by the vectors too: another call's are thrown away.
"""

import errno
import re
import zlib
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.evaluate.code_data import Advance, Side
from mlx_metaembed.files import disk, flock, npy
from mlx_metaembed.mining import vectors as stored_vectors

if TYPE_CHECKING:
    from mlx_metaembed.embedder import Embedder


@dataclass
class Work:
    """The folder of a fit, held by this process."""

    path: Path
    note: Callable[[str], object]
    key: str = ""

    @classmethod
    @contextmanager
    def opened(cls, room: Path, name: str, note: Callable[[str], object]) -> "Iterator[Work]":
        """The folder of a fit, made where there is none. Raises CallError where another process works in it, or the
        model's folder can't be written into."""
        path = room / f".{name}.fitting"
        try:
            disk.make_folder(path)
            busy = f"Another process fits this code now ({path}); wait for it, or choose another --name"
            with flock.held(path, busy):
                yield cls(path, note)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
                raise CallError(
                    f"Codes lie in the model's folder, and {room} can't be written into ({disk.cause(error)}); make a "
                    "folder of your own: metaembed export MODEL OUT --to sentence-transformers"
                ) from None
            raise JobError(f"Could not write into {path}: {disk.cause(error)}") from error

    def vectors(
        self, embedder: "Embedder", side: Side, seed: int, model: dict[str, str], advance: Advance
    ) -> np.ndarray:
        """The vectors [n, D] of a side, those of an earlier call where they are the same."""
        if side.vectors is not None:
            found = side.encoded(embedder, lambda count: None)
            self.key = stored_vectors.key({"seed": seed, **model}, [str(zlib.crc32(np.ascontiguousarray(found)))])
            self._clear()
            return found
        about = {"seed": seed, "prompt": side.prompt, "length": embedder.max_seq_length, **model}
        self.key = stored_vectors.key(about, side.texts)
        self._clear()

        told = lambda count: advance("encoding", count, len(side), "texts")  # noqa: E731

        def make(first: int, last: int) -> np.ndarray:
            return side.some(range(first, last)).encoded(embedder, told)

        where, width = self.path / f"{self.key}.f32", embedder.folder.dimensions
        if where.is_file() and (done := where.stat().st_size // (4 * width)):
            self.note(f"{where.parent} has {done:,} vectors of a call that was ended; it goes on from there")
        return stored_vectors.stored(where, len(side), width, make).block(0, len(side))

    def stages(self, kind: str) -> MutableMapping[int, np.ndarray]:
        """The stages of a kind that are done, by number; those that are put here are kept."""
        return _Stages(self.path, f"{self.key}-{kind}")

    def done(self) -> None:
        """Take the folder away: the code is whole."""
        disk.remove(self.path)

    def _clear(self) -> None:
        """Remove what other vectors left."""
        for path in self.path.iterdir():
            if path.name != flock.LOCK and not path.name.startswith(self.key):
                path.unlink()


class _Stages(MutableMapping):
    """Arrays in files of their own, whole or absent; one that can't be read is none."""

    def __init__(self, folder: Path, prefix: str):
        self._folder, self._prefix, self._held = folder, prefix, {}

    def __getitem__(self, stage: int) -> np.ndarray:
        if stage not in self._held:
            with suppress(OSError, ValueError, EOFError):
                self._held[stage] = np.load(self._name(stage), allow_pickle=False)
        return self._held[stage]

    def __setitem__(self, stage: int, array: np.ndarray) -> None:
        self._held[stage] = array
        with disk.replacing_file(self._name(stage)) as partial:
            npy.save(partial, array)

    def __delitem__(self, stage: int) -> None:
        self._held.pop(stage, None)
        self._name(stage).unlink(missing_ok=True)

    def __iter__(self) -> Iterator[int]:
        found = (re.fullmatch(rf"{re.escape(self._prefix)}-(\d+)\.npy", path.name) for path in self._folder.iterdir())
        return iter(sorted(int(each[1]) for each in found if each))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _name(self, stage: int) -> Path:
        return self._folder / f"{self._prefix}-{stage}.npy"
