"""Teachers' vectors as targets: a row for each text of a role of a data set, from files that stay on disk."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlx_metaembed import data
from mlx_metaembed.data import vector_key
from mlx_metaembed.data.rows import Labelled, Pairs, Retrieval, Rows, Texts
from mlx_metaembed.data.vector_key import VectorKey
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import TeacherTable
from mlx_metaembed.training.objective import Objective, teacher_target

ROWS_AT_ONCE = 1 << 14
"""Rows that are looked through together."""
Uses = dict[tuple[str, str], list[Objective]]
"""The objectives that take a teacher, by data set and role of its texts."""


@dataclass(frozen=True)
class Picked:
    """Rows of an array by number, in another order than the file's; an index reads those that it names."""

    array: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: np.ndarray | slice) -> np.ndarray:
        return self.array[self.rows[chosen]]


@dataclass(frozen=True)
class Teacher:
    """A teacher's vectors, memory-mapped, with the key of their file, and the texts that its table names for them."""

    table: TeacherTable
    array: np.ndarray
    key: VectorKey | None
    texts: list[str] | None

    def of(self, texts: Sequence[str], where: str) -> np.ndarray | Picked:
        """A row for each of some texts; `where` says whose. Raises CallError where the rows are of other texts."""
        if self.texts is not None:
            return self._found(texts, where)
        if self.key:
            said = self.key.difference(texts)
        else:
            same = len(self.array) == len(texts)
            said = "" if same else f"it has {len(self.array):,} rows, and there are {len(texts):,} texts"
        if said:
            raise CallError(f"{self.table.path} is not of the texts of {where}: {said}")
        return self.array

    def _found(self, texts: Sequence[str], where: str) -> Picked:
        """The rows of some texts, wherever they stand in the file of the teacher's texts."""
        places = {text.strip(): row for row, text in enumerate(self.texts)}
        if missing := [text for text in texts if text.strip() not in places]:
            raise CallError(
                f"{self.table.texts} lacks {len(missing):,} of the {len(texts):,} texts of {where}, like "
                f"{missing[0]!r:.80}"
            )
        return Picked(self.array, np.array([places[text.strip()] for text in texts], np.int64))


def attached(
    rows: Mapping[str, Rows],
    recipe: Recipe,
    objectives: Sequence[Objective],
    widths: Mapping[str, int],
    note: Callable[[str], None] = lambda said: None,
) -> dict[str, Rows]:
    """The rows with the teachers' vectors as targets (`teacher_target`) float32 [R, D], where a loss takes them.

    `widths` are those of what the heads give, by name: what a teacher's vectors must have. `note` hears of arrays whose
    order nothing can tell. Raises CallError, all faults at once, where a file is none, or is of other texts or widths.
    """
    found, wrong = dict(rows), []
    for table in (table for table in recipe.teachers if not table.is_base):
        uses = _uses(table, objectives)
        try:
            teacher = _read(table, recipe.max_characters)
        except CallError as error:
            wrong.append(str(error))
            continue
        wrong += _unknown_order(teacher, uses)
        for (name, role), takers in uses.items():
            where = f"data {name!r}" if role == "text" else f"data {name!r} ({role})"
            wrong += _other_widths(teacher, takers, widths)
            try:
                vectors = teacher.of(rows[name].texts[role], where)
            except CallError as error:
                wrong.append(str(error))
                continue
            found[name] = replace(
                found[name], targets=found[name].targets | {teacher_target(table.name, role): vectors}
            )
            if not teacher.key and teacher.texts is None:
                note(
                    f"teacher {table.name!r}: {table.path} has no {vector_key.path_of(Path(table.path)).name}, which "
                    f"metaembed embed writes; its rows are taken to be in the order of {where}"
                )
    if wrong:
        raise faults("The teachers do not fit:", list(dict.fromkeys(wrong)), _ADVICE)
    return found


_ADVICE = (
    "Embed the data's texts in their order with metaembed embed, or name the file of an array's texts as texts in its "
    "[[teacher]]: its rows are then found by text."
)


def _uses(table: TeacherTable, objectives: Sequence[Objective]) -> Uses:
    found: Uses = {}
    for each in objectives:
        if table.name in each.teachers:
            found.setdefault((each.data, each.texts), []).append(each)
    return found


def _unknown_order(teacher: Teacher, uses: Uses) -> Iterator[str]:
    """Why an array of which nothing says whose rows it has can't teach texts of several kinds."""
    if len(uses) > 1 and not teacher.key and teacher.texts is None:
        kinds = " and ".join(f"{role} of data {name!r}" for name, role in uses)
        yield (
            f"{teacher.table.path} has no key, and would be taken for {kinds}, in whose order its rows can't all be; "
            "say which objective takes it (teacher = ...)"
        )


def _other_widths(teacher: Teacher, takers: Sequence[Objective], widths: Mapping[str, int]) -> Iterator[str]:
    width = teacher.array.shape[1]
    for each in takers:
        if (needed := widths[each.names[0]]) != width:
            head = each.names[0]
            whose = "the model's vectors have" if head == "dense" else f"what the head {head!r} gives has"
            yield f"{teacher.table.path} has vectors of {width} features, and {whose} {needed}"


def _read(table: TeacherTable, most: int) -> Teacher:
    """A teacher's vectors and what is known of them. Raises CallError where its files are none, or do not agree."""
    path = Path(table.path).expanduser()
    array = _vectors(table, path)
    key, texts = vector_key.read(path), _texts(table, most)
    if key and key.count != len(array):
        raise CallError(f"{vector_key.path_of(path)} is of {key.count:,} texts, and {path} has {len(array):,} rows")
    if texts is not None and len(texts) != len(array):
        raise CallError(f"{table.path} has {len(array):,} rows, and {table.texts} {len(texts):,} texts")
    if key and texts is not None and (said := key.difference(texts)):
        raise CallError(f"{table.path} is not of the texts of {table.texts}: {said}")
    return Teacher(table, array, key, texts)


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
