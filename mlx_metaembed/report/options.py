"""What the rows of a comparison are called: models by their short names, with the vector where a model has several."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

Row = Mapping[str, object]
Option = tuple[str, str]
"""A model and a vector, as a row has them."""


def option(row: Row) -> Option:
    """The model and the vector of a row."""
    return str(row["name"]), str(row["vector"])


def names(rows: Sequence[Row], *, whole: bool = False) -> dict[Option, str]:
    """What each option is called, in the rows' order, by the shortest name of its model or by the `whole`."""
    options = list(dict.fromkeys(map(option, rows)))
    models = [model for model, _ in options]
    called = {model: model for model in models} if whole else shortest(models)
    several = len(set(models)) < len(options)
    return {(model, vector): f"{called[model]} {vector}" if several else called[model] for model, vector in options}


def shortest(paths: Iterable[str]) -> dict[str, str]:
    """The last part of each path, or the whole where another one ends alike."""
    ends = {path: PurePath(path).name or path for path in paths}
    return {path: end if list(ends.values()).count(end) == 1 else path for path, end in ends.items()}
