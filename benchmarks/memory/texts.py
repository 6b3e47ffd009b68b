"""Texts as long as a model takes: functions of the standard library for its own words, numbers for a part of it."""

import json
import sysconfig
from pathlib import Path

import numpy as np

from benchmarks import rows
from benchmarks.memory.models import WORDS
from mlx_metaembed.data.readers import python_source


def texts(count: int, length: int, *, numbers: bool) -> list[str]:
    """So many different texts of `length` tokens or more, to be cut there."""
    random = np.random.default_rng(rows.SEED)
    if numbers:
        return [" ".join(map(str, random.integers(0, WORDS, length))) for _ in range(count)]
    found = [record.positive for record in python_source.pairs(sysconfig.get_path("stdlib"))]
    # A token of code is four characters at the most, on the average.
    joined = "\n".join(found[at] for at in random.permutation(len(found)))
    step = 6 * length
    return [joined[first * step : (first + 1) * step] for first in range(count)]


def write(path: Path, texts: list[str], columns: int) -> None:
    """Rows of so many columns as JSON lines."""
    names = ("anchor", "positive", *(f"negative_{number}" for number in range(1, columns - 1)))
    with path.open("w", encoding="utf-8") as file:
        for first in range(0, len(texts), columns):
            file.write(json.dumps(dict(zip(names, texts[first : first + columns], strict=True))) + "\n")
