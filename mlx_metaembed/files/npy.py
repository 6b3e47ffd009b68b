"""NumPy's .npy files, written so that a full disk gives the system's own error, and never ends the process.

`numpy.save` forgets the system's reason, and a mapped file on a full disk ends the process at the first page.
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


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
