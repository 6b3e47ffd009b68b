"""The texts beside an index: one JSON line a row, and where each line starts, so that a hit's text is one seek away.

`corpus.jsonl` is for people and other tools too; `offsets.npy` holds its n + 1 byte offsets, int64.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mlx_metaembed import npy
from mlx_metaembed.errors import CallError

TEXTS, OFFSETS = "corpus.jsonl", "offsets.npy"


def write(folder: Path, ids: Iterable[str], texts: Iterable[str]) -> None:
    """Write both files into `folder`. Raises OSError where the disk is full."""
    offsets = [0]
    with (folder / TEXTS).open("wb") as file:
        for name, text in zip(ids, texts, strict=True):
            line = json.dumps({"id": name, "text": text}, ensure_ascii=False) + "\n"
            # A lone surrogate is valid in a Python string and in JSON's \\u form, but has no UTF-8 bytes.
            offsets.append(offsets[-1] + file.write(line.encode("utf-8", "surrogatepass")))
    npy.save(folder / OFFSETS, np.array(offsets, np.int64))


class Corpus:
    """Ids and texts by row, read from the disk when asked for."""

    def __init__(self, folder: Path, count: int) -> None:
        """Raises CallError where the offsets do not fit the texts or the number of rows."""
        self.path = folder / TEXTS
        try:
            self.offsets = np.load(folder / OFFSETS, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise CallError(f"{folder / OFFSETS} can't be read ({error}); build the index again") from None
        fits = self.offsets.dtype == np.int64 and self.offsets.shape == (count + 1,)
        if not fits or np.any(np.diff(self.offsets) <= 0) or self.offsets[-1] != self.path.stat().st_size:
            raise CallError(f"{folder / OFFSETS} does not fit {TEXTS} of {count:,} rows; build the index again")

    def __getitem__(self, rows: Sequence[int]) -> list[tuple[str, str]]:
        """(id, text) of each row asked for."""
        found = []
        with self.path.open("rb") as file:
            for row in rows:
                file.seek(self.offsets[row])
                line = json.loads(file.readline().decode("utf-8", "surrogatepass"))
                found.append((line["id"], line["text"]))
        return found

    def shortest(self) -> int:
        """The row with the shortest line."""
        return int(np.argmin(np.diff(self.offsets)))
