"""NumPy's .npy files, written so that a full disk gives the system's own error, and never ends the process.

`numpy.save` forgets the system's reason, and a mapped file on a full disk ends the process at the first page. Rows are
read and not mapped, since the pages of a mapped file count as the process's own memory.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np


class _Plain:
    """A file as one that NumPy does not know, so that it writes through `write`."""

    def __init__(self, file: BinaryIO):
        self.write = file.write


def save(path: Path, array: np.ndarray) -> None:
    """Write one array. Raises OSError, with the file's name, where it can't be written."""
    with _named(path), path.open("wb") as file:
        np.lib.format.write_array(_Plain(file), np.asanyarray(array), allow_pickle=False)


def save_rows(path: Path, blocks: Iterable[np.ndarray], rows: int) -> None:
    """Write blocks [n, D] that come one after another as one array of `rows` rows; OSError as `save`."""
    with _named(path), path.open("wb") as file:
        for number, block in enumerate(blocks):
            if not number:
                header = np.lib.format.header_data_from_array_1_0(np.empty((0, *block.shape[1:]), block.dtype))
                np.lib.format.write_array_header_1_0(file, header | {"shape": (rows, *block.shape[1:])})
            file.write(memoryview(np.ascontiguousarray(block)).cast("B"))


class Rows:
    """The rows [n, D] of a file, read as they are asked for: a slice, or the numbers of some."""

    def __init__(self, path: Path) -> None:
        """Raises ValueError or OSError where the file holds no array of rows."""
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        self.shape, self.dtype, self.ndim = mapped.shape, mapped.dtype, mapped.ndim
        # Columns behind each other have no rows to read.
        self._whole = None if mapped.flags.c_contiguous else mapped
        self._path, self._first = path, mapped.offset

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        if self._whole is not None:
            return np.asarray(self._whole[rows])
        row_bytes = self.dtype.itemsize * self.shape[1]
        if isinstance(rows, slice):
            first, last, step = rows.indices(len(self))
            count, at = max(last - first, 0), self._first + first * row_bytes
            found = np.fromfile(self._path, self.dtype, count * self.shape[1], offset=at)
            return found.reshape(count, self.shape[1])[::step]
        found = np.empty((len(rows), self.shape[1]), self.dtype)
        with self._path.open("rb") as file:
            for at, row in enumerate(np.asarray(rows).tolist()):
                file.seek(self._first + row * row_bytes)
                found[at] = np.frombuffer(file.read(row_bytes), self.dtype)
        return found

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
