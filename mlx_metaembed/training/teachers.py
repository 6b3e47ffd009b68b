"""Teachers' vectors as targets: a row each of a data set's texts, from files that stay on disk."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mlx_metaembed.data.rows import Rows
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.recipe.tables import TeacherTable
from mlx_metaembed.training.objective import Objective

ROWS_AT_ONCE = 1 << 14
"""Rows that are looked through together."""
TARGET = "teacher."
"""What the names of teachers' targets begin with."""


def attached(
    rows: Mapping[str, Rows], teachers: Sequence[TeacherTable], objectives: Sequence[Objective], width: int
) -> dict[str, Rows]:
    """The rows with the teachers' vectors as targets `teacher.<name>` float32 [R, D], where a loss takes them.

    `width` is that of the model's vectors, which a teacher's must have. Raises CallError, all faults at once, where a
    file is none, has another number of rows or width, or no objective takes a teacher.
    """
    taught = dict.fromkeys(
        each.data for each in objectives if any(name.startswith(TARGET) for name in each.loss.targets)
    )
    if taught and not teachers:
        raise CallError("A loss takes teachers' vectors, and the recipe has no [[teacher]] with a name and a path")
    if teachers and not taught:
        raise CallError("The recipe has a [[teacher]], and no objective whose loss takes its vectors: distillation")
    found, wrong = dict(rows), []
    arrays = {}
    for teacher in teachers:
        try:
            arrays[teacher.name] = _read(teacher)
        except CallError as error:
            wrong.append(str(error))
    for name in taught:
        for teacher in teachers:
            if (array := arrays.get(teacher.name)) is None:
                continue
            if array.shape != (len(rows[name]), width):
                wrong.append(
                    f"{teacher.path} has vectors of the shape {array.shape}; data {name!r} and the model need "
                    f"({len(rows[name])}, {width}), one a row"
                )
            found[name] = replace(found[name], targets=found[name].targets | {f"{TARGET}{teacher.name}": array})
    if wrong:
        raise faults("The teachers do not fit:", wrong, "Embed the data's texts with metaembed embed, in their order.")
    return found


def _read(teacher: TeacherTable) -> np.ndarray:
    """The vectors of a .npy file, memory-mapped. Raises CallError where it is none."""
    path = Path(teacher.path).expanduser()
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise CallError(f"teacher {teacher.name!r}: there is no file {path}") from None
    except OSError as error:
        raise CallError(f"teacher {teacher.name!r}: {path} can't be read: {error.strerror}") from None
    except (ValueError, EOFError):
        raise CallError(f"teacher {teacher.name!r}: {path} is no .npy file of numbers") from None
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind != "f":
        raise CallError(f"teacher {teacher.name!r}: {path} holds no vectors [texts, features] of floats")
    for first in range(0, len(array), ROWS_AT_ONCE):
        finite = np.isfinite(array[first : first + ROWS_AT_ONCE]).all(axis=1)
        if not finite.all():
            row = first + int(np.argmin(finite))
            raise CallError(f"teacher {teacher.name!r}: row {row} of {path} (from 0) has a number that is not finite")
    return array
