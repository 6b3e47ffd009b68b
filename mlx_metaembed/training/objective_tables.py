"""The objectives of a recipe's tables: what each names must be there, and its loss must take what its head gives."""

import math
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields

from mlx_metaembed.engine import DENSE
from mlx_metaembed.errors import faults, nearest
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.heads import Head
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.losses.widths import CUT
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.checks import GUIDED
from mlx_metaembed.recipe.long_form import long_form
from mlx_metaembed.recipe.tables import BASE, ObjectiveTable
from mlx_metaembed.recipe.values import as_toml, fits, type_name
from mlx_metaembed.training import head_tables, model_parts, weighting
from mlx_metaembed.training.model_parts import PostTrunk
from mlx_metaembed.training.objective import TEACHER, TEXT, WEIGHT_SCHEDULES, Objective
from mlx_metaembed.training.rows import BY_ROLE, takes_any_text


def read(
    recipe: Recipe, source: ModelFolder, known: Mapping[str, type] = LOSSES
) -> tuple[PostTrunk, tuple[Objective, ...]]:
    """What stands behind the trunk in a run of a recipe from `source`, and its objectives, of the losses `known`.

    Raises CallError with every fault of its tables, and where the source's files do not fit.
    """
    behind, wrong = model_parts.described(recipe, source)
    found, more = _objectives(long_form(recipe, head_tables.codes(source)), behind, known)
    if wrong := [*wrong, *more]:
        raise faults("The recipe is wrong:", wrong)
    return behind, found


def _objectives(
    recipe: Recipe, behind: PostTrunk, known: Mapping[str, type]
) -> tuple[tuple[Objective, ...], list[str]]:
    """The objectives of a recipe in its long form, and the faults of its tables; a head that has one is not asked."""
    wrong, found = [], []
    wide = not any(head_tables.dense_faults(table) for table in recipe.heads if table.type == DENSE)
    made = {*behind.heads, *([DENSE] if wide else [])}
    names = [table.called for table in recipe.objectives]
    sources = [table.name for table in recipe.sources]
    wrong += [f"two {kind} are called {name!r}; names must differ" for kind, name in _twice(recipe, names)]
    for table, name in zip(recipe.objectives, names, strict=True):
        own = [f"objective {name!r}: {line}" for line in _faults(table, sources, known)]
        own += [f"objective {name!r}: {line}" for line in _taught(table, recipe, known.get(table.loss))]
        if table.loss in known and all(head in made for head in table.names):
            wrong += [f"objective {name!r}: {line}" for line in _unfit(table, known[table.loss], behind)]
        wrong += own
        if not own:
            loss = known[table.loss](**table.settings)
            wrong += [f"objective {name!r}: {line}" for line in loss.faults()]
            widths = (table.matryoshka, table.matryoshka_weights)
            teachers = teachers_of(table, recipe, loss)
            rising = (table.weight_warmup_ratio, table.weight_schedule)
            which = (name, table.data, table.head, loss, table.weight)
            found.append(Objective(*which, *widths, teachers, table.texts, *rising))
    if recipe.objectives and all(table.weight == 0 for table in recipe.objectives):
        wrong.append("the weights of all objectives are 0: nothing would train")
    wrong += weighting.faults(recipe.weighting, {table.called: table.weight for table in recipe.objectives})
    unused = [name for name in sources if name not in {table.data for table in recipe.objectives}]
    wrong += [f"data {name!r}: no objective trains on it; add one, or leave it out" for name in unused]
    return tuple(found), [*wrong, *_idle(recipe, known)]


def losses(recipe: Recipe) -> list[Objective]:
    """The objectives of a recipe in its long form whose losses are known, unchecked, with their default settings."""
    return [
        Objective(
            *(table.called, table.data, table.head, LOSSES[table.loss](), table.weight, table.matryoshka),
            teachers=teachers_of(table, recipe, LOSSES[table.loss]),
            texts=table.texts,
        )
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
    if not table.data and len(sources) > 1:
        yield f"data is missing; it names one of {', '.join(sources)}"
    elif table.data not in sources:
        yield f"there is no data {table.data!r}{nearest(table.data, sources)}; there are {', '.join(sources) or 'none'}"
    if not 0 <= table.weight < math.inf:
        yield f"weight = {table.weight:g}, expected 0 or more"
    if not 0 <= table.weight_warmup_ratio <= 1:
        yield f"weight_warmup_ratio = {table.weight_warmup_ratio:g}, expected a share of the steps, from 0 to 1"
    if table.weight_schedule not in WEIGHT_SCHEDULES:
        close = nearest(table.weight_schedule, WEIGHT_SCHEDULES)
        yield f"weight_schedule = {table.weight_schedule!r}, expected {' or '.join(WEIGHT_SCHEDULES)}{close}"
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


def takes_teachers(loss: type | object) -> bool:
    """Whether a loss takes teachers' vectors."""
    return any(name.startswith(TEACHER) for name in loss.targets)


def teachers_of(table: ObjectiveTable, recipe: Recipe, loss: type | object) -> tuple[str, ...]:
    """The teachers whose vectors an objective takes: those that it names, else all of its data set's."""
    if not takes_teachers(loss):
        return ()
    return table.asked_teachers or tuple(
        each.name for each in recipe.teachers if each.data in ("", table.data) and each.name
    )


def _taught(table: ObjectiveTable, recipe: Recipe, loss: type | None) -> Iterator[str]:
    """What is wrong with the teachers, and with the role of the texts, that a table names."""
    if loss is None:
        return
    takers = [name for name, each in LOSSES.items() if takes_teachers(each)]
    if table.guide:
        elsewhere = table.loss not in GUIDED
        said = f"belongs to the loss {' or '.join(GUIDED)}" if elsewhere else "and teacher are both given; give one"
        yield f"guide = {as_toml(table.guide)} {said}"
    named, sets = table.asked_teachers, {each.name: each.data for each in recipe.teachers}
    if named and not takes_teachers(loss):
        yield f"teacher = {as_toml(table.teacher)} belongs to the loss {' or '.join(takers)}"
    elif takes_teachers(loss) and not teachers_of(table, recipe, loss):
        of = f" for data {table.data!r}" if recipe.teachers else " with a name and a path, or a model"
        whose, short = ("a guide's", "guide") if table.loss in GUIDED else ("teachers'", "teacher")
        yield (
            f"{table.loss} takes {whose} vectors, and the recipe has no [[teacher]]{of}; give one, or in the short "
            f'form --{short} MODEL ({short} = "MODEL"); "{BASE}" is the model that the run starts from'
        )
    else:
        for name in named:
            if name not in sets:
                there = ", ".join(sets) or "none"
                yield f"there is no teacher {name!r}{nearest(name, sets)}; there are {there}"
            elif sets[name] not in ("", table.data):
                yield f"the teacher {name!r} is of data {sets[name]!r}, and the objective trains on {table.data!r}"
    if table.texts != TEXT and not takes_any_text(loss):
        roles = ", ".join((*loss.roles, *loss.optional))
        yield f"texts = {table.texts!r} belongs to losses on single texts, and {table.loss} takes {roles}"
    elif table.texts not in BY_ROLE:
        yield f"texts = {table.texts!r}{nearest(table.texts, BY_ROLE)}; expected one of {', '.join(BY_ROLE)}"


def _idle(recipe: Recipe, known: Mapping[str, type]) -> Iterator[str]:
    """The teachers that no objective takes, and those of data sets that are not there."""
    sources = [table.name for table in recipe.sources]
    taken = {
        name
        for table in recipe.objectives
        if table.loss in known
        for name in teachers_of(table, recipe, known[table.loss])
    }
    for each in recipe.teachers:
        if each.data and each.data not in sources:
            missing = f"there is no data {each.data!r}{nearest(each.data, sources)}"
            yield f"teacher {each.name!r}: {missing}; there are {', '.join(sources) or 'none'}"
        elif each.name not in taken:
            takers = " or ".join(name for name, loss in LOSSES.items() if takes_teachers(loss))
            more = f"add one with the loss {takers}, or leave it out"
            yield f"teacher {each.name!r}: no objective takes its vectors; {more}"


def _belongs(key: str, own: Mapping[str, object]) -> str:
    """What to say of a key that a loss does not have."""
    owners = [kind for kind, loss in LOSSES.items() if key in {each.name for each in fields(loss)}]
    if owners:
        return f"belongs to the loss {' or '.join(owners)}"
    return f"is not known{nearest(key, own)}; known: {', '.join(own)}"


def _unfit(table: ObjectiveTable, loss: type, behind: PostTrunk) -> Iterator[str]:
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
