"""The short form of a recipe as tables: one data set, the heads that `dense` and `fsq` add, and an objective for the
vectors and one for each code head."""

from collections.abc import Iterable
from dataclasses import fields, replace

from mlx_metaembed.heads import HEADS, level_words
from mlx_metaembed.heads.choices import DENSE
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.recipe.checks import GUIDED, TAUGHT
from mlx_metaembed.recipe.settings import Recipe, default
from mlx_metaembed.recipe.tables import BASE, SHORT_FORM, DataTable, HeadTable, ObjectiveTable, TeacherTable

DATA, CODES, TEACHER, GUIDE = "data", "codes", "teacher", "guide"
"""The names that the short form gives to its data set, to the head that `fsq` trains, to what teaches and guides."""
CLASSES, CLASSIFYING = "classes", "cross_entropy"
"""The head that the short form adds for the loss on labels."""
CODE_HEADS = ("fsq", "rvq")
"""The types of heads that give codes."""
NEAR_BASE = "distillation"
"""The loss that `distill_from_base` adds on the texts of each role that has one a row."""


def long_form(recipe: Recipe, code_heads: Iterable[str] = ()) -> Recipe:
    """The same run as tables; `code_heads` are those that the model has already, which train with it."""
    sources, heads, objectives = recipe.sources, recipe.heads, recipe.objectives
    if not sources and recipe.data:
        sources = (DataTable(DATA, recipe.data, columns=recipe.columns, no_header=recipe.no_header),)
    if len(sources) == 1 and not sources[0].name:
        sources = (replace(sources[0], name=DATA),)
    if not heads:
        heads = (
            *([HeadTable(DENSE, "dense", {"features": recipe.dense})] if recipe.dense else []),
            *([HeadTable(CODES, "fsq", {"levels": recipe.fsq})] if recipe.fsq else []),
            *([HeadTable(CLASSES, "classification")] if recipe.loss == CLASSIFYING else []),
        )
    if not objectives:
        data = sources[0].name if sources else DATA
        objectives = _objectives(recipe, data, [*code_heads, *(each.name for each in heads)])
    only = sources[0].name if len(sources) == 1 else ""
    objectives = tuple(
        replace(each, data=each.data or only, head=_head(each, heads) if each.head is None else each.head)
        for each in objectives
    )
    teachers = recipe.teachers or ((_teacher(TEACHER, recipe.teacher),) if recipe.teacher else ())
    objectives, teachers = _of_base(*_guided(objectives, teachers), recipe.model)
    short = {name: default(name) for names in SHORT_FORM.values() for name in names}
    return replace(recipe, **short, sources=sources, heads=heads, objectives=objectives, teachers=teachers)


def _of_base(
    objectives: tuple[ObjectiveTable, ...], teachers: tuple[TeacherTable, ...], model: str
) -> tuple[tuple[ObjectiveTable, ...], tuple[TeacherTable, ...]]:
    """The objectives, and the teachers with the base where one asks for it and no table has that name."""
    if (
        not model
        or BASE in {each.name for each in teachers}
        or not any(BASE in each.asked_teachers for each in objectives)
    ):
        return objectives, teachers
    # Who takes every teacher does not take the base with them.
    named = (_with_every(each, teachers) for each in objectives)
    return tuple(named), (*teachers, TeacherTable(BASE, model=model))


def _with_every(table: ObjectiveTable, teachers: tuple[TeacherTable, ...]) -> ObjectiveTable:
    """The objective; one that names no teacher and takes all of its data set's names these."""
    if table.teacher or table.loss not in TAUGHT:
        return table
    return replace(table, teacher=tuple(each.name for each in teachers if each.data in ("", table.data)))


def _teacher(name: str, given: str) -> TeacherTable:
    """The table of a teacher that is given as a model, or as a file of vectors."""
    return TeacherTable(name, path=given) if given.endswith(".npy") else TeacherTable(name, model=given)


def _guided(
    objectives: tuple[ObjectiveTable, ...], teachers: tuple[TeacherTable, ...]
) -> tuple[tuple[ObjectiveTable, ...], tuple[TeacherTable, ...]]:
    """The objectives with their guides as teachers, and the teachers with those that guides add."""
    own, added, found = [each.name for each in teachers], {}, []
    wanted = [each.guide for each in objectives if each.guide and each.loss in GUIDED and not each.teacher]
    for given in dict.fromkeys(wanted):
        if given not in own:
            name = GUIDE if not added else f"{GUIDE}_{len(added) + 1}"
            added[given] = _teacher(name, given)
    for each in objectives:
        if each.guide in wanted and each.loss in GUIDED and not each.teacher:
            each = replace(each, guide="", teacher=added[each.guide].name if each.guide in added else each.guide)
        elif added:
            # Who takes every teacher takes no guide of another loss.
            each = _with_every(each, teachers)
        found.append(each)
    return tuple(found), (*teachers, *added.values())


def _head(table: ObjectiveTable, heads: Iterable[HeadTable]) -> str | tuple[str, ...]:
    """The head of an objective that names none: the vectors where its loss takes them, else the only head of each kind
    that it takes; of a loss that takes several together, all of these."""
    loss = LOSSES.get(table.loss)
    if loss is None or not (loss.several or "vector" not in loss.accepts):
        return DENSE
    given = [(DENSE, "vector"), *((each.name, HEADS[each.type].gives) for each in heads if each.type in HEADS)]
    found = tuple(name for kind in loss.accepts for name, gives in given if gives == kind)
    if loss.several:
        return found if len(found) == len(loss.accepts) else DENSE
    return found[0] if len(found) == 1 else DENSE


def _objectives(recipe: Recipe, data: str, heads: Iterable[str]) -> tuple[ObjectiveTable, ...]:
    own = {each.name: each.default for each in fields(LOSSES[recipe.loss]) if each.name in SHORT_FORM["objectives"]}
    given = {name: getattr(recipe, name) for name in own if getattr(recipe, name) is not None}
    settings = {name: value for name, value in given.items() if value != own[name]}
    widths = (recipe.matryoshka, recipe.matryoshka_weights)
    near = _near_base(recipe, data)
    if recipe.loss == CLASSIFYING:
        return (ObjectiveTable(CLASSES, data, CLASSES, recipe.loss, 1.0, *widths, settings), *near)
    vectors = ObjectiveTable(DENSE, data, DENSE, recipe.loss, 1.0, *widths, settings, guide=recipe.guide)
    codes = [
        ObjectiveTable(name, data, name, recipe.loss, recipe.fsq_weight, settings=settings, guide=recipe.guide)
        for name in dict.fromkeys(heads)
        if name != DENSE
    ]
    return (vectors, *codes, *near)


def _near_base(recipe: Recipe, data: str) -> list[ObjectiveTable]:
    """What keeps the vectors near the base's: an objective for each role with one text a row, of even weights."""
    if not recipe.distill_from_base:
        return []
    # Of scores the short form has pairs of sentences alone.
    roles = [role for role in LOSSES[recipe.loss].roles if role != "negative"] or ["sentence1", "sentence2"]
    weight = recipe.distill_from_base / len(roles)
    return [
        ObjectiveTable(f"{BASE}_{role}", data, DENSE, NEAR_BASE, weight, teacher=BASE, texts=role) for role in roles
    ]


def trained_widths(recipe: Recipe) -> list[tuple[int, ...]]:
    """The widths of the vectors by objective that scores them, of a recipe as tables; () is all of them."""
    return [each.matryoshka for each in recipe.objectives if DENSE in each.names]


def named_widths(recipe: Recipe) -> tuple[int, ...]:
    """Every width of the vectors that an objective of a recipe as tables names, once."""
    return tuple(dict.fromkeys(width for each in trained_widths(recipe) for width in each))


def code_heads(recipe: Recipe) -> dict[str, str]:
    """The code heads that a recipe as tables adds, by name: `FSQ 2x120`, `RVQ 256x15`."""
    found = {}
    for each in recipe.heads:
        if each.type in CODE_HEADS:
            levels = each.settings.get("levels", "")
            found[each.name] = f"{each.type.upper()} {levels if isinstance(levels, str) else level_words(levels)}"
    return found
