"""The short form of a recipe as tables: one data set, the heads that `dense` and `fsq` add, and an objective for the
vectors and one for each code head."""

from collections.abc import Iterable
from dataclasses import fields, replace

from mlx_metaembed.heads import HEADS, level_words
from mlx_metaembed.heads.choices import DENSE
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.recipe.settings import Recipe, default
from mlx_metaembed.recipe.tables import BASE, SHORT_FORM, DataTable, HeadTable, ObjectiveTable, TeacherTable

DATA, CODES = "data", "codes"
"""The names that the short form gives to its data set, and to the head that `fsq` trains."""
CLASSES, CLASSIFYING = "classes", "cross_entropy"
"""The head that the short form adds for the loss on labels."""
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
    teachers = recipe.teachers
    if any(BASE in each.asked_teachers for each in objectives) and BASE not in {each.name for each in teachers}:
        teachers = (*teachers, TeacherTable(BASE))
    short = {name: default(name) for names in SHORT_FORM.values() for name in names}
    return replace(recipe, **short, sources=sources, heads=heads, objectives=objectives, teachers=teachers)


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
    names = [each.name for each in fields(LOSSES[recipe.loss])]
    short = [name for name in names if name in SHORT_FORM["objectives"]]
    settings = {name: getattr(recipe, name) for name in short if getattr(recipe, name) != default(name)}
    widths = (recipe.matryoshka, recipe.matryoshka_weights)
    near = _near_base(recipe, data)
    if recipe.loss == CLASSIFYING:
        return (ObjectiveTable(CLASSES, data, CLASSES, recipe.loss, 1.0, *widths, settings), *near)
    vectors = ObjectiveTable(DENSE, data, DENSE, recipe.loss, 1.0, *widths, settings)
    codes = [
        ObjectiveTable(name, data, name, recipe.loss, recipe.fsq_weight, settings=settings)
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


def code_levels(recipe: Recipe) -> dict[str, str]:
    """The levels of the code heads that a recipe as tables adds, as --fsq takes them, by name."""
    found = {each.name: each.settings.get("levels", "") for each in recipe.heads if each.type == "fsq"}
    return {name: levels if isinstance(levels, str) else level_words(levels) for name, levels in found.items()}
