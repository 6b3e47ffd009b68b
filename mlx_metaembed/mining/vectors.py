"""Vectors in a file of their own, float32 row after row: written some thousand at a time, read in blocks.

A file that ends early is gone on with, so that a job that was killed encodes no window twice. It is read and not
mapped, since the pages of a mapped file would count as the process's own memory.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed.errors import JobError
from mlx_metaembed.files import disk

WINDOW = 8_192
"""Rows that are made together, as an embedder encodes them."""


@dataclass(frozen=True)
class Vectors:
    """A whole file of `count` vectors of `width` features."""

    path: Path
    count: int
    width: int

    def __len__(self) -> int:
        return self.count

    def block(self, first: int, last: int) -> np.ndarray:
        """Rows `first` to before `last`, float32 [n, D]. Raises JobError where the file ends before."""
        last = min(last, self.count)
        found = np.fromfile(self.path, np.float32, (last - first) * self.width, offset=first * self.width * 4)
        if found.size != (last - first) * self.width:
            raise JobError(f"{self.path} ends early; remove it, and give the same command again")
        return found.reshape(-1, self.width)

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        """All of them, so many rows at a time."""
        return (self.block(first, first + rows) for first in range(0, self.count, rows))

    def rows(self, numbers: Sequence[int]) -> np.ndarray:
        """The vectors of some rows, float32 [n, D]."""
        order = np.unique(np.asarray(numbers, np.int64))
        with self.path.open("rb") as file:
            found = np.empty((len(order), self.width), np.float32)
            for at, row in enumerate(order):
                file.seek(int(row) * self.width * 4)
                found[at] = np.frombuffer(file.read(self.width * 4), np.float32)
        return found[np.searchsorted(order, numbers)]


def stored(
    path: Path,
    count: int,
    width: int,
    make: Callable[[int, int], np.ndarray],
    advance: Callable[[int], None] = lambda rows: None,
) -> Vectors:
    """The file at `path`, made or gone on with; `make(first, last)` gives the rows of a window [n, D].

    Windows begin at the same rows whenever a job was ended, so that they have the same bits. Raises JobError where the
    disk is full.
    """
    row = width * 4
    done = 0
    if path.is_file() and path.stat().st_size <= count * row:
        done = path.stat().st_size // row
        done = count if done == count else done // WINDOW * WINDOW
    advance(done)
    if done < count:
        try:
            with path.open("r+b" if done else "wb") as file:
                file.truncate(done * row)
                file.seek(done * row)
                for first in range(done, count, WINDOW):
                    last = min(first + WINDOW, count)
                    file.write(memoryview(np.ascontiguousarray(make(first, last), np.float32)).cast("B"))
                    file.flush()
                    advance(last - first)
        except OSError as error:
            raise JobError(
                f"Could not write {path}: {disk.cause(error)}. The same command goes on from there"
            ) from error
    return Vectors(path, count, width)


def key(about: Mapping[str, object], texts: Iterable[str]) -> str:
    """16 hexadecimal digits for what vectors are made of: how, and of which texts in which order."""
    digest = hashlib.blake2b(repr(sorted(about.items())).encode(), digest_size=8)
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()
