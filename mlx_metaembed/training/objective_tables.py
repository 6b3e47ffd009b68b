"""The objectives of a recipe's tables: what each names must be there, and its loss must take what its head gives."""

import math
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields

from mlx_metaembed.engine import DENSE
from mlx_metaembed.errors import faults, nearest
from mlx_metaembed.heads import Head
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.losses.widths import CUT
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import ObjectiveTable
from mlx_metaembed.recipe.values import fits, type_name
from mlx_metaembed.training.model_parts import PostTrunk
from mlx_metaembed.training.objective import Objective


def objectives(recipe: Recipe, behind: PostTrunk, known: Mapping[str, type] = LOSSES) -> tuple[Objective, ...]:
    """The objectives of a recipe in its long form, of the losses that are `known`.

    Raises CallError with every fault of its tables.
    """
    wrong, found = [], []
    names = [table.called for table in recipe.objectives]
    sources = [table.name for table in recipe.sources]
    wrong += [f"two {kind} are called {name!r}; names must differ" for kind, name in _twice(recipe, names)]
    for table, name in zip(recipe.objectives, names, strict=True):
        own = [f"objective {name!r}: {line}" for line in _faults(table, sources, known)]
        wrong += own
        if not own:
            loss = known[table.loss](**table.settings)
            wrong += [f"objective {name!r}: {line}" for line in (*loss.faults(), *_unfit(table, loss, behind))]
            widths = (table.matryoshka, table.matryoshka_weights)
            found.append(Objective(name, table.data, table.head, loss, table.weight, *widths))
    if recipe.objectives and all(table.weight == 0 for table in recipe.objectives):
        wrong.append("the weights of all objectives are 0: nothing would train")
    unused = [name for name in sources if name not in {table.data for table in recipe.objectives}]
    wrong += [f"data {name!r}: no objective trains on it; add one, or leave it out" for name in unused]
    if wrong:
        raise faults("The recipe is wrong:", wrong)
    return tuple(found)


def losses(recipe: Recipe) -> list[Objective]:
    """The objectives of a recipe in its long form whose losses are known, unchecked, with their default settings."""
    return [
        Objective(*(table.called, table.data, table.head, LOSSES[table.loss](), table.weight, table.matryoshka))
        for table in recipe.objectives
        if table.loss in LOSSES
    ]


def _twice(recipe: Recipe, objectives: list[str]) -> Iterator[tuple[str, str]]:
    kinds = {
        "data sets": [table.name for table in recipe.sources],
        "heads": [table.name for table in recipe.heads],
        "objectives": objectives,
        "teachers": [table.name for table in recipe.teachers],
    }
    for kind, names in kinds.items():
        yield from ((kind, name) for name in dict.fromkeys(names) if names.count(name) > 1)


def _faults(table: ObjectiveTable, sources: list[str], losses: Mapping[str, type]) -> Iterator[str]:
    """What is wrong with a table before its loss is made."""
    if table.data not in sources:
        yield f"there is no data {table.data!r}{nearest(table.data, sources)}; there are {', '.join(sources) or 'none'}"
    if not 0 <= table.weight < math.inf:
        yield f"weight = {table.weight:g}, expected 0 or more"
    if table.loss not in losses:
        yield f"loss {table.loss!r} is not known{nearest(table.loss, losses)}; known: {', '.join(losses)}"
        return
    own = {each.name: each for each in fields(losses[table.loss])}
    hints = typing.get_type_hints(losses[table.loss])
    for key, value in table.settings.items():
        if key not in own:
            yield f"{key} {_belongs(key, own)}"
        elif not fits(value, hints[key]):
            yield f"{key} = {value!r:.80}, expected {type_name(hints[key])}"
    for key, each in own.items():
        if each.default is MISSING and key not in table.settings:
            yield f"{key} is missing, which {table.loss} needs"
    if table.matryoshka_weights and len(table.matryoshka_weights) != len(table.matryoshka):
        yield f"matryoshka_weights has {len(table.matryoshka_weights)} numbers, and matryoshka {len(table.matryoshka)}"
    if any(not weight >= 0 for weight in table.matryoshka_weights):
        yield f"matryoshka_weights = {list(table.matryoshka_weights)}, expected numbers of 0 or more"


def _belongs(key: str, own: Mapping[str, object]) -> str:
    """What to say of a key that a loss does not have."""
    owners = [kind for kind, loss in LOSSES.items() if key in {each.name for each in fields(loss)}]
    if owners:
        return f"belongs to the loss {' or '.join(owners)}"
    return f"is not known{nearest(key, own)}; known: {', '.join(own)}"


def _unfit(table: ObjectiveTable, loss: object, behind: PostTrunk) -> Iterator[str]:
    """Why a loss can't score what the heads give, and widths that they do not have."""
    names = table.names
    given = [what(name, behind)[0] for name in names]
    if loss.several and sorted(given) != sorted(loss.accepts):
        yield f"{table.loss} takes {', '.join(loss.accepts)}, a head of each; the heads {', '.join(names)} give {given}"
        return
    if not loss.several and len(names) > 1:
        yield f"{table.loss} takes one head, and found {', '.join(names)}"
    for name in names:
        gives, width = what(name, behind)
        if gives not in loss.accepts:
            yield f"{table.loss} takes {' or '.join(loss.accepts)}, and the head {name!r} gives {gives}"
        cut = gives == "vector" if loss.several else gives in CUT
        if cut and (wide := [each for each in table.matryoshka if each > width]):
            whose = "the model's vectors have" if name == DENSE else f"the head {name!r} has"
            yield f"matryoshka = {list(table.matryoshka)}, but {whose} {width} features ({wide[0]})"
    if any(each < 1 for each in table.matryoshka):
        yield f"matryoshka = {list(table.matryoshka)}, expected widths of 1 or more"
    if table.matryoshka and not set(given) & set(CUT):
        yield f"matryoshka cuts {' and '.join(CUT)}, and the heads {', '.join(names)} give {', '.join(given)}"


def what(name: str, behind: PostTrunk) -> tuple[str, int]:
    """What a head gives, and its features; 0 where it has no fixed number."""
    if name == DENSE:
        return "vector", behind.folder.dimensions
    head: Head = behind.heads[name]
    return head.gives, getattr(head, "out_features", 0)
