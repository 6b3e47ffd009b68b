"""The tables of a recipe as the short form's settings: the other way of long_form, as far as there is one."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from mlx_metaembed.errors import CallError
from mlx_metaembed.heads.choices import DENSE
from mlx_metaembed.recipe.long_form import CODES, GUIDE, TEACHER, long_form
from mlx_metaembed.recipe.settings import Recipe
from mlx_metaembed.recipe.tables import BASE, SHORT_FORM


def short_form(recipe: Recipe, code_heads: Iterable[str] = ()) -> Recipe:
    """The same run with settings in the place of tables; tables that no settings say stay.

    `code_heads` are the model's own, as long_form takes them.
    """
    own = tuple(code_heads)
    long = long_form(recipe, own)
    # Heads come last: which ones the short form adds is the loss's to say.
    for name, said in (("sources", _data), ("objectives", _objectives), ("heads", _heads)):
        with suppress(CallError):
            with_it = {name: (), **({"teachers": ()} if name == "objectives" else {})}
            tried = replace(recipe, **with_it, **said(recipe)) if getattr(recipe, name) else recipe
            recipe = tried if long_form(tried, own) == long else recipe
    return recipe


def own_heads(recipe: Recipe) -> list[str]:
    """The heads that objectives of a recipe name and no table adds: the model's own."""
    added = {DENSE, *(table.name for table in recipe.heads)}
    return list(dict.fromkeys(name for each in recipe.objectives for name in each.names if name not in added))


def _data(recipe: Recipe) -> dict[str, object]:
    table = recipe.sources[0]
    return {"data": table.path, "columns": table.columns, "no_header": table.no_header}


def _objectives(recipe: Recipe) -> dict[str, object]:
    first, *rest = recipe.objectives
    settings = {name: value for name, value in first.settings.items() if name in SHORT_FORM["objectives"]}
    weights = [each.weight for each in rest if each.teacher != BASE]
    near = sum(each.weight for each in rest if each.teacher == BASE)
    widths = {"matryoshka": first.matryoshka, "matryoshka_weights": first.matryoshka_weights}
    taught = {table.name: table.path or table.model for table in recipe.teachers if table.name in (TEACHER, GUIDE)}
    own = {"loss": first.loss, "distill_from_base": near} | ({"fsq_weight": weights[0]} if weights else {})
    return settings | widths | taught | own


def _heads(recipe: Recipe) -> dict[str, object]:
    settings = {table.name: table.settings for table in recipe.heads}
    return {
        "dense": settings.get(DENSE, {}).get("features"),
        "fsq": settings.get(CODES, {}).get("levels", ""),
    }
