"""Teachers' vectors as targets: a row for each text of a role of a data set, from files or models."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np

from mlx_metaembed import folder as folders
from mlx_metaembed.data import vector_key
from mlx_metaembed.data.rows import Rows
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.folder import locate
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import TeacherTable
from mlx_metaembed.training import teacher_file, teacher_model
from mlx_metaembed.training.objective import Objective, teacher_target
from mlx_metaembed.training.picked import Picked

Uses = dict[tuple[str, str], list[Objective]]
"""The objectives that take a teacher, by data set and role of its texts."""


class Teacher(Protocol):
    """Vectors by another model. `in_order`: nothing but the order says whose the rows are."""

    table: TeacherTable
    name: str
    features: int
    in_order: bool

    def of(self, texts: Sequence, role: str, where: str) -> np.ndarray | Picked:
        """A row for each of some texts, or some a row where a row has several texts; `where` says whose.

        Raises CallError where there is none.
        """


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
    found, wrong, advice = dict(rows), [], ""
    for table in recipe.teachers:
        uses = _uses(table, objectives, rows)
        before = len(wrong)
        try:
            teacher = _read(table, recipe)
        except CallError as error:
            wrong.append(str(error))
            advice = advice or ("" if table.model else _ADVICE)
            continue
        wrong += _unknown_order(teacher, uses)
        for (name, role), takers in uses.items():
            where = f"data {name!r}" if role == "text" else f"data {name!r} ({role})"
            wrong += _other_widths(teacher, takers, widths)
            try:
                vectors = teacher.of(rows[name].texts[role], role, where)
            except CallError as error:
                wrong.append(str(error))
                continue
            found[name] = replace(
                found[name], targets=found[name].targets | {teacher_target(table.name, role): vectors}
            )
            if teacher.in_order:
                note(
                    f"teacher {table.name!r}: {table.path} has no {vector_key.path_of(Path(table.path)).name}, which "
                    f"metaembed embed writes; its rows are taken to be in the order of {where}"
                )
        if len(wrong) > before and not table.model:
            advice = _ADVICE
    if wrong:
        raise faults("The teachers do not fit:", list(dict.fromkeys(wrong)), advice)
    return found


_ADVICE = (
    "Embed the data's texts in their order with metaembed embed, or name the file of an array's texts as texts in its "
    "[[teacher]]: its rows are then found by text. A model as model = ... embeds them itself."
)


@cache
def features(table: TeacherTable) -> int:
    """Features of a teacher's vectors, for a plan; 0 where they can't be known yet."""
    try:
        if table.model:
            return folders.read(locate.resolve(table.model, weights=False)).output_dimensions
        return np.load(Path(table.path).expanduser(), mmap_mode="r", allow_pickle=False).shape[1]
    except (CallError, OSError, ValueError, IndexError):
        return 0


def _read(table: TeacherTable, recipe: Recipe) -> Teacher:
    if table.model:
        return teacher_model.read(table, recipe.memory_bytes)
    return teacher_file.read(table, recipe.max_characters)


def _uses(table: TeacherTable, objectives: Sequence[Objective], rows: Mapping[str, Rows]) -> Uses:
    found: Uses = {}
    for each in objectives:
        for role in each.taught if table.name in each.teachers else ():
            if role in rows[each.data].texts:
                found.setdefault((each.data, role), []).append(each)
    return found


def _unknown_order(teacher: Teacher, uses: Uses) -> Iterator[str]:
    """Why an array of which nothing says whose rows it has can't teach texts of several kinds."""
    if len(uses) > 1 and teacher.in_order:
        kinds = " and ".join(f"{role} of data {name!r}" for name, role in uses)
        yield (
            f"{teacher.table.path} has no key, and would be taken for {kinds}, in whose order its rows can't all be; "
            "say which objective takes it (teacher = ...), or name the file of its texts (texts = ...)"
        )


def _other_widths(teacher: Teacher, takers: Sequence[Objective], widths: Mapping[str, int]) -> Iterator[str]:
    for each in takers:
        free = getattr(each.loss, "any_width", False)
        if not free and (needed := widths[each.names[0]]) != teacher.features:
            head = each.names[0]
            whose = "the model's vectors have" if head == "dense" else f"what the head {head!r} gives has"
            yield f"{teacher.name} has vectors of {teacher.features} features, and {whose} {needed}"
