"""The texts beside an index: one JSON line a row, and where each line starts, so that a hit's text is one seek away.

`corpus.jsonl` is for people and other tools too; `offsets.npy` holds its n + 1 byte offsets, int64.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO, NamedTuple

import numpy as np

from mlx_metaembed.errors import CallError
from mlx_metaembed.files import npy

TEXTS, OFFSETS = "corpus.jsonl", "offsets.npy"


class Entry(NamedTuple):
    """A row's id and text; of a note's part also its file and first line."""

    id: str
    text: str
    path: str | None = None
    line: int | None = None


def write(folder: Path, ids: Iterable[str], texts: Iterable[str], lines: Sequence[tuple[str, int]] = ()) -> None:
    """Write both files into `folder`; `lines` are the texts' places in notes. Raises OSError where the disk is full."""
    offsets = [0]
    with (folder / TEXTS).open("wb") as file:
        for row, (name, text) in enumerate(zip(ids, texts, strict=True)):
            place = {"path": lines[row][0], "line": lines[row][1]} if lines else {}
            line = json.dumps({"id": name, "text": text} | place, ensure_ascii=False) + "\n"
            # A lone surrogate is valid in a Python string and in JSON's \\u form, but has no UTF-8 bytes.
            offsets.append(offsets[-1] + file.write(line.encode("utf-8", "surrogatepass")))
    npy.save(folder / OFFSETS, np.array(offsets, np.int64))


class Corpus:
    """Entries by row, read from the disk when asked for."""

    def __init__(self, folder: Path, count: int) -> None:
        """Raises CallError where the offsets do not fit the texts or the number of rows."""
        self.path = folder / TEXTS
        try:
            with (folder / OFFSETS).open("rb") as file:
                self.offsets = np.lib.format.read_array(file, allow_pickle=False)
        except (OSError, ValueError, EOFError, MemoryError, OverflowError, SyntaxError, TokenError) as error:
            # NumPy parses a header as Python.
            raise CallError(f"{folder / OFFSETS} can't be read ({error}); build the index again") from None
        fits = isinstance(self.offsets, np.ndarray) and self.offsets.dtype == np.int64
        fits = fits and self.offsets.shape == (count + 1,) and self.offsets[0] == 0
        if not fits or np.any(np.diff(self.offsets) <= 0) or self.offsets[-1] != self.path.stat().st_size:
            raise CallError(f"{folder / OFFSETS} does not fit {TEXTS} of {count:,} rows; build the index again")

    def __getitem__(self, rows: Sequence[int]) -> list[Entry]:
        """The entry of each row asked for. Raises CallError where its line is none."""
        with self.path.open("rb") as file:
            return [self._entry(file, row) for row in rows]

    def shortest(self) -> int:
        """The row with the shortest line."""
        return int(np.argmin(np.diff(self.offsets)))

    def _entry(self, file: BinaryIO, row: int) -> Entry:
        file.seek(self.offsets[row])
        raw = file.read(int(self.offsets[row + 1] - self.offsets[row]))
        try:
            entry = Entry(**json.loads(raw.decode("utf-8", "surrogatepass")))
        except (ValueError, TypeError, RecursionError):
            entry = Entry("", 0)
        if not isinstance(entry.id, str) or not isinstance(entry.text, str):
            raise CallError(f"{self.path}, row {row}: no object with an id and a text; build the index again")
        return entry
