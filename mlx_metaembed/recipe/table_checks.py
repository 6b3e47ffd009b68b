"""What is wrong with a recipe's tables by themselves, before any model or data is read."""

import math
import typing
from collections.abc import Iterator

from mlx_metaembed.errors import nearest
from mlx_metaembed.folder.module_types import SPLADE
from mlx_metaembed.heads.choices import DENSE
from mlx_metaembed.recipe.tables import DataTable, HeadTable

if typing.TYPE_CHECKING:
    from mlx_metaembed.recipe.settings import Recipe

ROLES = ("anchor", "positive", "negative", "sentence1", "sentence2", "text")
"""The texts of a row that may have a prompt of their own."""


def invalid(recipe: "Recipe") -> Iterator[str]:
    """Every fault of the tables, one sentence each."""
    for number, table in enumerate(recipe.sources, start=1):
        yield from _data(table, f"[[data]] {table.name or number}", alone=len(recipe.sources) == 1)
    if recipe.sources and all(table.weight == 0 for table in recipe.sources):
        yield "the weights of all data sets are 0: there would be nothing to train on"
    for number, table in enumerate(recipe.heads, start=1):
        yield from _head(table, f"[[head]] {table.name or number}")
    if sum(table.type == DENSE for table in recipe.heads) > 1:
        yield "two [[head]] tables have the type dense; the model has vectors of one width"
    for number, table in enumerate(recipe.objectives, start=1):
        if table.head is not None and not (
            table.head and all([table.head] if isinstance(table.head, str) else table.head)
        ):
            yield f"[[objective]] {table.name or number}: head = {table.head!r} names no head"
    for number, table in enumerate(recipe.teachers, start=1):
        where = f"[[teacher]] {table.name or number}"
        if table.is_base:
            own = [key for key in ("texts", "columns", "data") if getattr(table, key)]
            yield from (f"{where}: {key} belongs to a teacher with a path; this one is the model itself" for key in own)
        else:
            yield from (f"{where}: {key} is missing" for key in ("name", "path") if not getattr(table, key))


def _data(table: DataTable, where: str, *, alone: bool) -> Iterator[str]:
    if not table.name and not alone:
        yield f"{where}: name is missing; objectives say by it which data they train on"
    if not 0 <= table.weight < math.inf:
        yield f"{where}: weight = {table.weight:g}, expected 0 or more"
    for role, prompt in (table.prompts or {}).items():
        if role not in ROLES:
            yield f"{where}: prompts have {role!r}{nearest(role, ROLES)}; expected {', '.join(ROLES)}"
        elif not isinstance(prompt, str):
            yield f"{where}: prompts.{role} = {prompt!r:.80}, expected a text"


def _head(table: HeadTable, where: str) -> Iterator[str]:
    if not table.name:
        yield f"{where}: name is missing; objectives and encode(heads=[...]) say by it which head they want"
    elif "." in table.name:
        yield f"{where}: a name with a dot; dots part a head's name from its weights' in the file"
    # The names of the model's own vectors, and of its masked-language-model head, are their types' too.
    for own in (DENSE, SPLADE):
        if own in (table.name, table.type) and table.name != table.type:
            yield (
                f"{where}: the name {own!r} and the type {own} go together, and found name = {table.name!r}, "
                f"type = {table.type!r}"
            )
