"""What the settings of losses are made of: fields that carry their help, and the faults of their values."""

import math
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

from mlx_metaembed.errors import nearest

SIMILARITIES = ("cosine", "dot")


def setting(default: object, text: str, choices: tuple[str, ...] = ()) -> Any:
    """A dataclass field with its default, the line of help of its TOML key, and the words it accepts."""
    return field(default=default, metadata={"help": text, "choices": choices})


def similarity() -> Any:
    """The field `similarity` of every loss that scores two texts."""
    text = "How vectors score: cosine or dot product. Tokens score by MaxSim, sparse vectors by dot product."
    return setting("cosine", text, SIMILARITIES)


def unknown(loss: Any, *names: str) -> list[str]:
    """A fault for each named field whose value, or one of whose values, is none of its choices."""
    found = []
    for name in names:
        value, choices = getattr(loss, name), loss.__dataclass_fields__[name].metadata["choices"]
        for each in value if isinstance(value, tuple) else (value,):
            if each not in choices:
                found.append(f"{name} = {each!r}: expected one of {', '.join(choices)}{nearest(str(each), choices)}")
    return found


def not_above_zero(loss: Any, *names: str) -> list[str]:
    """A fault for each named field that is not a finite number above 0; None is no value and passes."""
    return not_finite(loss, *names) + _outside(loss, names, lambda value: not -math.inf < value <= 0, "more than 0")


def below_zero(loss: Any, *names: str) -> list[str]:
    """A fault for each named field that is not a finite number of 0 or more; None passes."""
    return not_finite(loss, *names) + _outside(loss, names, lambda value: not -math.inf < value < 0, "0 or more")


def not_finite(loss: Any, *names: str) -> list[str]:
    """A fault for each named field that is infinite or no number; None passes."""
    return _outside(loss, names, math.isfinite, "a finite number")


def _outside(loss: Any, names: Sequence[str], inside: Callable[[float], bool], expected: str) -> list[str]:
    values = {name: getattr(loss, name) for name in names}
    return [
        f"{name} = {value}: expected {expected}"
        for name, value in values.items()
        if not (value is None or inside(value))
    ]
