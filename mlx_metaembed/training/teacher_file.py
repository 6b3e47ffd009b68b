"""A teacher's vectors in a .npy file, memory-mapped, and whose texts they are of: by the key beside it, or by texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from mlx_metaembed import data
from mlx_metaembed.data import vector_key
from mlx_metaembed.data.rows import Labelled, Pairs, Retrieval, Texts
from mlx_metaembed.data.vector_key import VectorKey
from mlx_metaembed.errors import CallError
from mlx_metaembed.recipe.tables import TeacherTable
from mlx_metaembed.training.picked import Picked

ROWS_AT_ONCE = 1 << 14
"""Rows that are looked through together."""


@dataclass(frozen=True)
class TeacherFile:
    """A teacher's vectors, with the key of their file, and the texts that its table names for them."""

    table: TeacherTable
    array: np.ndarray
    key: VectorKey | None
    texts: list[str] | None

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.table.path

    @property
    def features(self) -> int:
        return self.array.shape[1]

    @property
    def in_order(self) -> bool:
        """Whether nothing but the order says whose its rows are."""
        return not self.key and self.texts is None

    def of(self, texts: Sequence[str] | Sequence[tuple[str, ...]], role: str, where: str) -> np.ndarray | Picked:
        """A row for each of some texts; `where` says whose. Raises CallError where the rows are of other texts."""
        if self.texts is not None:
            return self._found(texts, where)
        if texts and not isinstance(texts[0], str):
            raise CallError(
                f"{self.table.path} has a row a text, and a row of {where} has several; its rows are found by text "
                "where [[teacher]] names their file as texts"
            )
        if self.key:
            said = self.key.difference(texts)
        else:
            same = len(self.array) == len(texts)
            said = "" if same else f"it has {len(self.array):,} rows, and there are {len(texts):,} texts"
        if said:
            raise CallError(f"{self.table.path} is not of the texts of {where}: {said}")
        return self.array

    @cached_property
    def _places(self) -> dict[str, int]:
        return {text.strip(): row for row, text in enumerate(self.texts)}

    def _found(self, texts: Sequence[str] | Sequence[tuple[str, ...]], where: str) -> Picked:
        """The rows of some texts, wherever they stand in the file of the teacher's texts."""
        flat = [text for each in texts for text in ((each,) if isinstance(each, str) else each)]
        if missing := [text for text in flat if text.strip() not in self._places]:
            raise CallError(
                f"{self.table.texts} lacks {len(missing):,} of the {len(flat):,} texts of {where}, like "
                f"{missing[0]!r:.80}"
            )
        return Picked(self.array, numbered(texts, lambda text: self._places[text.strip()]))


def numbered(texts: Sequence[str] | Sequence[tuple[str, ...]], number) -> np.ndarray:
    """The number of each text int64 [R], or of some a row [R, N], -1 where a row has fewer."""
    if not texts or isinstance(texts[0], str):
        return np.array([number(text) for text in texts], np.int64)
    found = np.full((len(texts), max(map(len, texts))), -1, np.int64)
    for row, several in enumerate(texts):
        found[row, : len(several)] = [number(text) for text in several]
    return found


def read(table: TeacherTable, most: int) -> TeacherFile:
    """A teacher's vectors and what is known of them; texts may have `most` characters.

    Raises CallError where its files are none, or do not agree.
    """
    path = Path(table.path).expanduser()
    array = _vectors(table, path)
    key, texts = vector_key.read(path), _texts(table, most)
    if key and key.count != len(array):
        raise CallError(f"{vector_key.path_of(path)} is of {key.count:,} texts, and {path} has {len(array):,} rows")
    if texts is not None and len(texts) != len(array):
        raise CallError(f"{table.path} has {len(array):,} rows, and {table.texts} {len(texts):,} texts")
    if key and texts is not None and (said := key.difference(texts)):
        raise CallError(f"{table.path} is not of the texts of {table.texts}: {said}")
    return TeacherFile(table, array, key, texts)


def _texts(table: TeacherTable, most: int) -> list[str] | None:
    """The texts of the file that a table names, read as metaembed embed reads it; None where it names none."""
    if not table.texts:
        return None
    path = str(Path(table.texts).expanduser())
    rows = data.read_texts(path, columns=table.columns, max_characters=most)
    if isinstance(rows, Texts | Labelled):
        return rows.texts
    if isinstance(rows, Retrieval):
        return rows.corpus
    columns = "anchor and positive" if isinstance(rows, Pairs) else "sentence1 and sentence2"
    raise CallError(f'{table.texts} has two texts a row ({columns}); say which: columns = "text=..."')


def _vectors(table: TeacherTable, path: Path) -> np.ndarray:
    """The vectors of a .npy file, memory-mapped. Raises CallError where it is none."""
    where = f"teacher {table.name!r}"
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise CallError(f"{where}: there is no file {path}") from None
    except OSError as error:
        raise CallError(f"{where}: {path} can't be read: {error.strerror}") from None
    except (ValueError, EOFError):
        raise CallError(f"{where}: {path} is no .npy file of numbers") from None
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind != "f":
        raise CallError(f"{where}: {path} holds no vectors [texts, features] of floats")
    for first in range(0, len(array), ROWS_AT_ONCE):
        finite = np.isfinite(array[first : first + ROWS_AT_ONCE]).all(axis=1)
        if not finite.all():
            row = first + int(np.argmin(finite))
            raise CallError(f"{where}: row {row} of {path} (from 0) has a number that is not finite")
    return array
