"""The names of a foreign checkpoint's tensors, as the trunk's own: prefixes off, task heads and buffers out.

What is left out is given back by name, so that nothing is dropped silently. The pooler stays, for other tools.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from mlx_metaembed.config.spellings import is_word_table
from mlx_metaembed.errors import faults
from mlx_metaembed.folder import foreign_names

Value = TypeVar("Value")


def trunk(
    where: Path, model_type: str, tensors: Mapping[str, Value]
) -> tuple[dict[str, Value], dict[str, str], list[str]]:
    """The trunk's tensors under its own names; the names of task heads' tensors, each with the one without prefixes;
    the names of buffers.

    Raises CallError where two tensors get one name.
    """
    kept: dict[str, Value] = {}
    heads: dict[str, str] = {}
    buffers, twice = [], []
    for name, tensor in tensors.items():
        own = foreign_names.own_name(model_type, name)
        if foreign_names.HEADS.match(own):
            heads[name] = own
        elif foreign_names.BUFFERS.fullmatch(own):
            buffers.append(name)
        elif own in kept:
            twice.append(f"{name}: {own} is there already")
        else:
            kept[own] = tensor
    for copy, own in foreign_names.COPIES.items():
        if own in kept and copy in kept:
            buffers.append(copy)
            del kept[copy]
        elif copy in kept:
            kept[own] = kept.pop(copy)
    if twice:
        raise faults(f"The weights in {where} hold tensors twice:", twice)
    return kept, heads, buffers


def word_embedding(names: Iterable[str]) -> str | None:
    """The name of the word embedding among a trunk's tensors."""
    return next(filter(is_word_table, names), None)


def summary(names: Iterable[str], shown: int = 4) -> str:
    """A few names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
    return ", ".join(listed[:shown]) + more
