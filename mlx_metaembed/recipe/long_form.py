"""The short form of a recipe as tables: one data set, the heads that `dense` and `fsq` add, and an objective for the
vectors and one for each code head."""

from collections.abc import Iterable
from dataclasses import fields, replace

from mlx_metaembed.heads import HEADS
from mlx_metaembed.heads.choices import DENSE
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.recipe.settings import Recipe, default
from mlx_metaembed.recipe.tables import SHORT_FORM, DataTable, HeadTable, ObjectiveTable

DATA, CODES = "data", "codes"
"""The names that the short form gives to its data set, and to the head that `fsq` trains."""
CLASSES, CLASSIFYING = "classes", "cross_entropy"
"""The head that the short form adds for the loss on labels."""


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
    short = {name: default(name) for names in SHORT_FORM.values() for name in names}
    return replace(recipe, **short, sources=sources, heads=heads, objectives=objectives)


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
    if recipe.loss == CLASSIFYING:
        return (ObjectiveTable(CLASSES, data, CLASSES, recipe.loss, settings=settings),)
    vectors = ObjectiveTable(
        *(DENSE, data, DENSE, recipe.loss),
        matryoshka=recipe.matryoshka,
        matryoshka_weights=recipe.matryoshka_weights,
        settings=settings,
    )
    codes = [
        ObjectiveTable(name, data, name, recipe.loss, recipe.fsq_weight, settings=settings)
        for name in dict.fromkeys(heads)
        if name != DENSE
    ]
    return (vectors, *codes)
