"""The rows that a run trains on: those of each data set, as its objectives' losses take them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from mlx_metaembed import data
from mlx_metaembed.data.rows import Rows
from mlx_metaembed.engine import DENSE
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.heads import HEADS, Head
from mlx_metaembed.losses import Loss
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable
from mlx_metaembed.training.objective import TEACHER, TEXT, Objective

BY_ROLE = (TEXT, "anchor", "positive", "sentence1", "sentence2")
"""The roles whose texts a loss on single texts can take: those with one text a row."""


def read(
    recipe: Recipe,
    objectives: Sequence[Objective],
    note: Callable[[str], None],
    given: Mapping[str, Iterable[Mapping]] | None = None,
) -> dict[str, Rows]:
    """The rows of each data set by its name, from its file or as `given`.

    Raises CallError where they lack what a loss on them takes.
    """
    several = len(recipe.sources) > 1
    gives = {DENSE: "vector"} | {each.name: HEADS[each.type].gives for each in recipe.heads if each.type in HEADS}
    found, faulty = {}, []
    for table in recipe.sources:
        dicts = (given or {}).get(table.name)
        if not table.path and dicts is None:
            raise CallError(f"[[data]] {table.name}: path is missing")
        own = [each for each in objectives if each.data == table.name]
        if dicts is not None:
            wanted = asked(own, gives)
            rows = _only(data.rows_of(dicts, **wanted, max_characters=recipe.max_characters), wanted)
        else:
            rows = read_source(table, own, gives, recipe.max_characters)
        if unread := [role for role in table.prompts or {} if role not in rows.texts]:
            raise CallError(
                f"[[data]] {table.name}: prompts have {unread[0]!r}, and its rows have {', '.join(rows.texts)}"
            )
        if table.weight != 1 and recipe.multi_dataset_batch_sampler != "weighted":
            note(f'[[data]] {table.name}: its weight counts only with multi_dataset_batch_sampler = "weighted"')
        where = f"Data{' ' + table.name if several else ''}"
        wrong = [line for each in own for line in _wrong(each, rows, gives)]
        faulty += [f"{where}: {line}" for line in dict.fromkeys(wrong)]
        said = [each.loss.row_note(rows.targets, rows.labels) for each in own if hasattr(each.loss, "row_note")]
        for line in dict.fromkeys([*rows.notes, *filter(None, said)]):
            note(f"{where}: {line}")
        found[table.name] = rows
    if faulty:
        raise CallError(faulty[0]) if len(faulty) == 1 else faults("The rows teach nothing:", faulty)
    return found


def _wrong(objective: Objective, rows: Rows, gives: Mapping[str, str]) -> list[str]:
    """What a loss finds wrong with the rows' targets, where it looks at them."""
    loss, found = objective.loss, []
    if hasattr(loss, "row_faults"):
        found += loss.row_faults(rows.targets, rows.labels)
    if hasattr(loss, "score_faults") and objective.names[0] in gives:
        found += loss.score_faults(rows.targets, gives[objective.names[0]])
    return [f"{loss.kind}: {line}" for line in found]


def read_source(table: DataTable, objectives: Sequence[Objective], gives: Mapping[str, str], most: int) -> Rows:
    """The rows of one data set, as the losses of its objectives take them; `gives` is what heads give, by name."""
    wanted, how = asked(objectives, gives), {"columns": table.columns, "no_header": table.no_header}
    return _only(data.read_rows(table.path, **wanted, **how, max_characters=most), wanted)


def _only(rows: Rows, wanted: Mapping[str, Collection[str]]) -> Rows:
    """The rows with the texts that are asked for: others would go through the trunk for nothing."""
    roles = {*wanted["roles"], *wanted["optional"]}
    return replace(rows, texts={role: texts for role, texts in rows.texts.items() if role in roles})


def asked(objectives: Sequence[Objective], gives: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The roles, the optional roles and the targets that the losses of some objectives take together.

    A role that one needs is needed. Where none needs any, as with flops alone, it is the texts.
    """
    _require_apart(objectives, gives)
    required = dict.fromkeys(role for each in objectives for role in _roles(each, gives))
    optional = dict.fromkeys(role for each in objectives for role in each.loss.optional if role not in required)
    targets = dict.fromkeys(name for each in objectives for name in each.loss.targets if not name.startswith(TEACHER))
    if not required and not targets:
        required, optional = {"text": None}, {}
    return {"roles": tuple(required), "optional": tuple(optional), "targets": tuple(targets)}


def _roles(objective: Objective, gives: Mapping[str, str]) -> Iterator[str]:
    """What a loss needs; a loss on scores that takes what there is needs one text where the head gives the scores,
    and else two."""
    loss = objective.loss
    heads = [objective.head] if isinstance(objective.head, str) else objective.head
    if not loss.roles and "score" in loss.targets and all(head in gives for head in heads):
        yield from ("text",) if gives[heads[0]] == "scores" else ("sentence1", "sentence2")
    yield from objective.roles


def _require_apart(objectives: Sequence[Objective], gives: Mapping[str, str]) -> None:
    """Raise CallError where a loss takes single texts beside one that takes several a row, and says not which."""
    for each in objectives:
        if TEXT not in each.roles:
            continue
        beside = dict.fromkeys(role for other in objectives for role in _roles(other, gives) if role != TEXT)
        if beside and takes_any_text(each.loss):
            which = " or ".join(f'"{role}"' for role in beside if role in BY_ROLE)
            raise CallError(
                f"objective {each.name!r} takes single texts, and the rows of data {each.data!r} have "
                f"{', '.join(beside)} for another loss; say which of them it takes (texts = {which}), or give it a "
                "data set of its own, which may have the same path"
            )


def takes_any_text(loss: Loss) -> bool:
    """Whether a loss on single texts can take those of any role: it asks for no column beside them."""
    return loss.roles == (TEXT,) and all(name.startswith(TEACHER) for name in loss.targets)


def least_texts(objectives: Sequence[Objective], heads: Mapping[str, Head]) -> int:
    """The texts of a row that its losses need, of the data set where they need most."""
    gives = {DENSE: "vector"} | {name: head.gives for name, head in heads.items()}
    sets = [[each for each in objectives if each.data == name] for name in {each.data for each in objectives}]
    return max((len(asked(each, gives)["roles"]) for each in sets), default=2) or 2


def texts_a_row(rows: Rows) -> int:
    """The most texts that a row has."""
    return sum(max(map(len, texts)) if texts and isinstance(texts[0], tuple) else 1 for texts in rows.texts.values())
