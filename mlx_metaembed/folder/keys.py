"""The keys of sentence-transformers' files: each is applied, refused, or ignored with a reason.

`key_table.py` has the rows. What sentence-transformers itself would not load is refused; what it passes over is noted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mlx_metaembed.errors import nearest

APPLIED, REFUSED, IGNORED = "applied", "refused", "ignored"
MODULES = "modules.json"
TRUNK = "sentence_bert_config.json"
TOP = "config_sentence_transformers.json"
POOLING = "1_Pooling/config.json"
DENSE = "2_Dense/config.json"
NORMALIZE = "3_Normalize/config.json"
SPLADE = "1_SpladePooling/config.json"
CONFIG = "config.json"


@dataclass(frozen=True)
class Key:
    """One key of one file, with dots between an object's name and its own keys.

    `why` says what it does; a refused one is taken where its value is one of `unless`.
    """

    file: str
    key: str
    state: str
    why: str
    unless: tuple = ()


Table = Mapping[tuple[str, str], Key]
"""Rows by file and key."""


def inspect(file: str, settings: Mapping, table: Table, shown: str) -> tuple[list[str], list[str]]:
    """The faults and the notes of one file's settings, a line each; `shown` is what the lines call the file."""
    wrong, notes = [], []
    for name, value in _leaves(file, settings, table):
        row = table.get((file, name))
        if row is None:
            section = max((each for each in _sections(file, table) if name.startswith(each)), key=len, default="")
            known = [key.removeprefix(section) for kind, key in table if kind == file and key.startswith(section)]
            close = nearest(name.removeprefix(section), known) or "."
            unknown = table.get((file, f"{section}*"))
            if unknown is None or unknown.state == REFUSED:
                why = f" ({unknown.why})" if unknown else ""
                wrong.append(f"{shown}: {name} = {value!r:.80} is not known{why}{close}")
            else:
                notes.append(f"{shown}: {name} is not known and was left out, as sentence-transformers does")
        elif row.state == REFUSED and not any(_same(value, each) for each in row.unless):
            expected = " or ".join(map(_json, row.unless)) if row.unless else "no such key"
            wrong.append(f"{shown}: {name} = {value!r:.80} is not supported ({row.why}); expected {expected}")
    return wrong, notes


def _leaves(file: str, settings: Mapping, table: Table, before: str = "") -> list[tuple[str, object]]:
    """The settings by dotted name; an object is opened where the table has keys inside it."""
    found = []
    for name, value in settings.items():
        dotted = f"{before}{name}"
        if isinstance(value, Mapping) and any(kind == file and key.startswith(f"{dotted}.") for kind, key in table):
            found += _leaves(file, value, table, f"{dotted}.")
        else:
            found.append((dotted, value))
    return found


def _sections(file: str, table: Table) -> set[str]:
    """What the file's dotted keys begin with: `processing_kwargs.text.` and the like."""
    return {key.rsplit(".", 1)[0] + "." for kind, key in table if kind == file and "." in key}


def _same(value: object, other: object) -> bool:
    """Equal, and true is no 1."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _json(value: object) -> str:
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else repr(value)
