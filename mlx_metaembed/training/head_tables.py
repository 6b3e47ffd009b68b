"""The heads that a run trains: what its `[[head]]` tables add, and those of the model's own that objectives name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mlx_metaembed import folder as folders
from mlx_metaembed import heads as head_files
from mlx_metaembed.data.rows import Rows
from mlx_metaembed.engine import DENSE
from mlx_metaembed.errors import CallError, faults, nearest
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.module_types import SPLADE
from mlx_metaembed.heads import (
    HEADS,
    Classification,
    CodeHead,
    Head,
    Lexical,
    MultiVector,
    Regression,
    level_words,
    probe_start,
)
from mlx_metaembed.heads.probe_start import PROBE, RANDOM
from mlx_metaembed.inputs.special_tokens import special_ids
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import HeadTable
from mlx_metaembed.training import code_tables
from mlx_metaembed.training.objective import Objective


def heads(recipe: Recipe, folder: ModelFolder, listed: Mapping[str, Head]) -> tuple[dict[str, Head], list[str]]:
    """The heads of a recipe in its long form, in the order of its tables, then of its objectives, and their faults.

    `listed` are the model's own. Faults are a type or a key that is not known, a head that is nowhere, and a table that
    would replace what a head has learned; a head that has one is left out.
    """
    found, wrong = {}, []
    known = dict.fromkeys([DENSE, *(table.name for table in recipe.heads), *listed])
    for table in recipe.heads:
        if table.type == "dense":
            continue
        try:
            head = _own(table, listed) if table.type == SPLADE else _made(code_tables.as_learned(table, listed), folder)
            if table.name in listed and listed[table.name] != head and not _is_open(head):
                raise _replaced(table, listed[table.name], folder)
            found[table.name] = head
        except CallError as error:
            wrong.append(str(error))
    wrong += _untrained(recipe, listed)
    for objective in recipe.objectives:
        for name in objective.names:
            if name in listed and not any(table.name == name for table in recipe.heads):
                found.setdefault(name, listed[name])
            elif name not in known:
                wrong.append(
                    f"objective {objective.called!r}: there is no head {name!r}{nearest(name, known)}; "
                    f"there are {', '.join(sorted(known))}"
                )
    return found, wrong


def _untrained(recipe: Recipe, listed: Mapping[str, Head]) -> Iterator[str]:
    """The heads of tables that no objective trains, and that the model has not."""
    gives = {table.name: HEADS[table.type].gives for table in recipe.heads if table.type in HEADS}
    gives = {name: head.gives for name, head in listed.items()} | gives
    named = {name for objective in recipe.objectives for name in objective.names}
    of_vectors = {name for name in named if gives.get(name) not in ("sparse", "tokens")}
    for table in recipe.heads:
        trained = of_vectors if table.type == "dense" else {table.name} & {*named, *listed}
        if not trained:
            yield (
                f"[[head]] {table.name}: no objective trains it, so that it would be saved as it begins; add one with "
                f"head = {table.name!r}, or leave it out"
            )


def codes(folder: ModelFolder) -> list[str]:
    """The names of the model's own code heads, which train with its vectors where no table says otherwise."""
    return [name for name, head in head_files.listed(folder).items() if head.gives == "code"]


def dense_faults(table: HeadTable) -> list[str]:
    """What is wrong with a `dense` table, which says a width and nothing else."""
    given = table.settings.get("features")
    if type(given) is int and given >= 1 and len(table.settings) == 1:
        return []
    return [f"[[head]] {table.name}: a dense head has features = N, 1 or more, and found {table.settings}"]


def starts(recipe: Recipe, heads: Mapping[str, Head]) -> dict[str, str]:
    """Where the heads of a recipe as tables begin by its vectors, by name; those drawn at random are left out."""
    found = {table.name: table.settings.get("start") for table in recipe.heads if table.name in heads}
    chosen = {name: found.get(name) or _default_start(head) for name, head in heads.items()}
    return {name: start for name, start in chosen.items() if start != RANDOM}


def _default_start(head: Head) -> str:
    if isinstance(head, CodeHead):
        return code_tables.default_start(head)
    return PROBE if isinstance(head, Regression | Classification) else RANDOM


def _regression(table: HeadTable, folder: ModelFolder) -> Head:
    code_tables.require_start(table, probe_start.require, PROBE)
    return Regression(folder.dimensions)


def _classification(table: HeadTable, folder: ModelFolder) -> Head:
    code_tables.require_start(table, probe_start.require, PROBE)
    labels = table.settings.get("labels", ())
    if not isinstance(labels, tuple):
        raise CallError(f"[[head]] {table.name}: labels = {labels!r:.80}, expected a list")
    return Classification(folder.dimensions, tuple(map(str, labels)))


def lacking_labels(recipe: Recipe) -> list[str]:
    """The names of the heads for classes whose labels are the data's to say."""
    return [table.name for table in recipe.heads if table.type == "classification" and not table.settings.get("labels")]


def _is_open(head: Head) -> bool:
    """Whether a head is for classes whose labels the data has yet to say."""
    return isinstance(head, Classification) and not head.labels


def as_numbered(
    rows: Mapping[str, Rows], objectives: Sequence[Objective], heads: Mapping[str, Head]
) -> dict[str, Rows]:
    """The rows, whose labels have the numbers of the head that learns them. Raises CallError for one that it lacks."""
    found, first = dict(rows), {}
    for each in objectives:
        head, own = heads.get(each.head), found[each.data]
        if not isinstance(head, Classification):
            continue
        if heads[first.setdefault(each.data, each.head)].labels != head.labels:
            raise CallError(
                f"data {each.data!r} trains the heads {first[each.data]!r} and {each.head!r}, whose labels or their "
                "order differ; give both the same, or each head a [[data]] of its own, which may have the same path"
            )
        if own.labels == head.labels:
            continue
        if unknown := [label for label in own.labels if label not in head.labels]:
            raise CallError(
                f"data {each.data!r} has the label{'s' if len(unknown) > 1 else ''} {_listed(unknown)}, and the head "
                f"{each.head!r} knows {_listed(head.labels)}. Add what it lacks to its labels, or leave labels out: "
                "they are then the data's"
            )
        numbers = np.array([head.labels.index(label) for label in own.labels], np.int32)
        targets = own.targets | {"label": numbers[own.targets["label"]]}
        found[each.data] = replace(own, targets=targets, labels=head.labels)
    return found


def with_labels(recipe: Recipe, rows: Mapping[str, Rows]) -> Recipe:
    """The recipe, whose classification heads have the labels of the data that trains them where none are given.

    Raises CallError for those whose data has none, and those that no objective names.
    """
    given = {
        name: rows[each.data].labels
        for each in recipe.objectives
        for name in each.names
        if each.data in rows and rows[each.data].labels
    }
    lacking = lacking_labels(recipe)
    if wrong := [
        f"[[head]] {name}: labels are missing; give them, or an objective on it whose data has them"
        for name in lacking
        if name not in given
    ]:
        raise faults("The recipe is wrong:", wrong)
    tables = (
        replace(each, settings=each.settings | {"labels": given[each.name]}) if each.name in lacking else each
        for each in recipe.heads
    )
    return replace(recipe, heads=tuple(tables))


def _lexical(table: HeadTable, folder: ModelFolder) -> Head:
    if not (folder.trunk_path / "tokenizer.json").is_file():
        # A plan takes shapes alone; a run has a tokenizer.
        return Lexical(folder.hidden_size, ())
    tokenizer = Tokenizer(folder)
    return Lexical(folder.hidden_size, tuple(sorted(special_ids(folder.trunk_path, tokenizer.id_of))))


def _multi_vector(table: HeadTable, folder: ModelFolder) -> Head:
    features = table.settings.get("features", folder.hidden_size)
    if not isinstance(features, int) or isinstance(features, bool):
        raise CallError(f"[[head]] {table.name}: features = {features!r}, expected a whole number")
    return MultiVector(folder.hidden_size, features)


TYPES: dict[str, tuple[tuple[str, ...], Callable[[HeadTable, ModelFolder], Head]]] = {
    "fsq": (("levels", "query", "start", "gradient"), code_tables.fsq),
    "rvq": (("levels", "query", "start"), code_tables.rvq),
    "regression": (("start",), _regression),
    "classification": (("labels", "start"), _classification),
    "lexical": ((), _lexical),
    "multi_vector": (("features",), _multi_vector),
}
"""The keys of each type of head, and what makes it. `splade` is a model's own, of its masked-language-model head."""


def _own(table: HeadTable, listed: Mapping[str, Head]) -> Head:
    """The head that a table of the type `splade` names."""
    if table.settings:
        raise CallError(f"[[head]] {table.name}: unknown key {next(iter(table.settings))!r}; a splade head has none")
    if table.name not in listed:
        raise CallError(
            f"[[head]] {table.name}: the model has no masked-language-model head, which a splade head is made of; "
            "start from a model that has one (AutoModelForMaskedLM), or train a head of the type lexical"
        )
    return listed[table.name]


def _made(table: HeadTable, folder: ModelFolder) -> Head:
    where = f"[[head]] {table.name}"
    if table.type not in TYPES:
        known = ["dense", *TYPES, SPLADE]
        raise CallError(
            f"{where}: type {table.type!r} is not known{nearest(table.type, known)}; known: {', '.join(known)}"
        )
    keys, make = TYPES[table.type]
    if unknown := [key for key in table.settings if key not in keys]:
        raise CallError(
            f"{where}: unknown key {unknown[0]!r}{nearest(unknown[0], keys)}; known: {', '.join(keys) or 'none'}"
        )
    head = make(table, folder)
    if not _is_open(head) and (wrong := head.faults()):
        raise CallError(f"{where}: {'; '.join(wrong)}")
    return head


def _replaced(table: HeadTable, head: Head, folder: ModelFolder) -> CallError:
    """The refusal to put a table's head in the place of the model's own of that name."""
    codes = isinstance(head, CodeHead)
    what = f"a code head of {level_words(head.levels)}" if codes else f"a head {table.name!r} of the type {head.kind}"
    asked = f"--fsq {table.settings.get('levels')}" if table.type == "fsq" else f"[[head]] {table.name}"
    on = f"Go on with it: {_asked_again(table.name, head)}. " if codes else ""
    return CallError(
        f"{folder.path} has {what}, and {asked} would replace what it has learned. {on}For a new one start "
        f"from a copy of the folder without {folders.SIDE}/heads.json"
    )


def _asked_again(name: str, head: CodeHead) -> str:
    """What asks for a code head as it is."""
    words = level_words(head.levels)
    return f"--fsq {words}" if head.kind == "fsq" else f'[[head]] {name}, type = "{head.kind}", levels = "{words}"'


def _listed(labels: Sequence[str], most: int = 20) -> str:
    return ", ".join(map(repr, labels[:most])) + (", ..." if len(labels) > most else "")
