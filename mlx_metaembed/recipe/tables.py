"""A recipe's tables: `[[data]]`, `[[head]]`, `[[objective]]`, `[[teacher]]`, each a dataclass of its own keys.

A head's and an objective's other keys are the fields of the head's type and of the loss: `settings`.
"""

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

from mlx_metaembed.errors import nearest
from mlx_metaembed.recipe.values import as_toml, fits, type_name


@dataclass(frozen=True)
class DataTable:
    """Rows of one source. `prompts` are put before the texts of a role; left out, they are the model's own."""

    name: str = ""
    path: str = ""
    weight: float = 1.0
    columns: str = ""
    no_header: bool = False
    prompts: dict | None = None


@dataclass(frozen=True)
class HeadTable:
    """A head that is added to the model, or goes on where the model has it."""

    name: str = ""
    type: str = ""
    settings: dict = field(default_factory=dict)


@dataclass(frozen=True)
class ObjectiveTable:
    """A loss on what a head gives for the rows of a data set.

    Left out, `data` is the only set there is, and `head` what long_form says. `teacher` names those whose vectors a
    loss takes, left out all of the data set's; `texts` the role of the rows whose texts it takes, where it takes single
    ones. `guide` is the name of a teacher, or what becomes one: a model, or a .npy file of vectors. The weight rises
    from 0 over the first `weight_warmup_ratio` of the steps.
    """

    name: str = ""
    data: str = ""
    head: str | tuple[str, ...] | None = None
    loss: str = ""
    weight: float = 1.0
    matryoshka: tuple[int, ...] = ()
    matryoshka_weights: tuple[float, ...] = ()
    settings: dict = field(default_factory=dict)
    teacher: str | tuple[str, ...] = ()
    texts: str = "text"
    guide: str = ""
    weight_warmup_ratio: float = 0.0
    weight_schedule: str = "quadratic"

    @property
    def names(self) -> tuple[str, ...]:
        """The heads that it scores."""
        return (self.head,) if isinstance(self.head, str) else self.head or ()

    @property
    def asked_teachers(self) -> tuple[str, ...]:
        """The teachers that it names."""
        return (self.teacher,) if isinstance(self.teacher, str) else self.teacher

    @property
    def called(self) -> str:
        """What it is called: its own name, else that of what it scores."""
        return self.name or "+".join(self.names)


BASE = "base"
"""The teacher that is the model which the run starts from, where no table has that name."""


@dataclass(frozen=True)
class TeacherTable:
    """Vectors by another model: `model` is its name, or `path` has a row each of the texts of a data set, in their
    order, or of the file `texts`, whose `columns` may be named as those of data are.

    `data` is the one data set that it teaches, left out those of the objectives that take it.
    """

    name: str = ""
    path: str = ""
    data: str = ""
    texts: str = ""
    columns: str = ""
    model: str = ""


Table = DataTable | HeadTable | ObjectiveTable | TeacherTable
TABLES: dict[str, tuple[str, type]] = {
    "data": ("sources", DataTable),
    "head": ("heads", HeadTable),
    "objective": ("objectives", ObjectiveTable),
    "teacher": ("teachers", TeacherTable),
}
"""The recipe's field and the class of each table, by its name in TOML."""

SHORT_FORM = {
    "sources": ("data", "columns", "no_header"),
    "heads": ("dense", "fsq"),
    "objectives": (
        *("loss", "temperature", "symmetric", "false_negative_margin", "false_negative_ratio", "distance", "margin"),
        *("soft_margin", "margin_strategy", "contrast_anchors", "contrast_positives"),
        *("matryoshka", "matryoshka_weights", "fsq_weight", "distill_from_base"),
    ),
    "teachers": ("teacher", "guide"),
}
"""The short form's settings by the recipe's field of the tables that say the same."""


def parsed(kind: str, rows: list[Mapping]) -> tuple[tuple[Table, ...], list[str]]:
    """The tables `[[kind]]` of a file, and what is wrong with them, one line each."""
    _, table = TABLES[kind]
    found, wrong = [], []
    own = {each.name for each in fields(table)} - {"settings"}
    for number, row in enumerate(rows, start=1):
        where = f"[[{kind}]] {row.get('name') or number}"
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
        here = {key: value for key, value in values.items() if key in own}
        others = {key: value for key, value in values.items() if key not in own}
        faults = list(_types(table, here, where))
        if others and "settings" not in {each.name for each in fields(table)}:
            faults += [f"{where}: unknown key {key!r}{nearest(key, own)}" for key in others]
        wrong += faults
        if not faults:
            found.append(table(**here, **({"settings": others} if others else {})))
    return tuple(found), wrong


def written(kind: str, table: Table) -> str:
    """A table as TOML writes it, without what is at its default."""
    lines = [f"[[{kind}]]"]
    for each in fields(table):
        value = getattr(table, each.name)
        if each.name == "settings":
            lines += [f"{key} = {as_toml(own)}" for key, own in value.items() if own is not None]
        elif value != each.default and value is not None:
            lines.append(f"{each.name} = {as_toml(value)}")
    return "\n".join(lines) + "\n"


def _types(table: type, values: Mapping, where: str) -> Iterator[str]:
    hints = typing.get_type_hints(table)
    for key, value in values.items():
        if not fits(value, hints[key]):
            yield f"{where}: {key} = {value!r:.80}, expected {type_name(hints[key])}"
