"""What axes tell of texts that no digit was fitted on: their own columns, and a free axis those of others."""

from collections.abc import Mapping, Sequence

import numpy as np

from mlx_metaembed.evaluate import logistic
from mlx_metaembed.semantic_ids.choices import Choices
from mlx_metaembed.semantic_ids.digit import CLASSES, FREE, VALUES, Digit
from mlx_metaembed.semantic_ids.fit import as_numbers
from mlx_metaembed.semantic_ids.scheme import Scheme

Labelled = tuple[np.ndarray, Mapping[str, Sequence[object]]]
"""Vectors [n, D], and the values of the columns that axes name, None for none."""


def axes(scheme: Scheme, choices: Choices, train: Labelled, held_out: Labelled) -> list[dict]:
    """A row for each axis of a column, on texts that no digit was fitted on: how often the digit is right, how often a
    linear probe on the float vector is, and how often the commonest level would be; for numbers also within one level.
    """
    rows = []
    for choice, digit in zip(choices.axes, scheme.axes, strict=True):
        if not choice.column:
            continue
        shown, known = _labelled(digit, held_out, choice.column)
        if not len(shown):
            continue
        learned, labels = _labelled(digit, train, choice.column)
        probe = logistic.fit(learned, labels, digit.levels, c=10.0)
        said = digit.of(shown)
        row = {"axis": digit.name, "texts": len(shown), "accuracy": float((said == known).mean())}
        row |= {"probe": float((probe.classes(shown) == known).mean())}
        row |= {"commonest": float((np.bincount(labels).argmax() == known).mean())}
        if digit.kind == VALUES:
            row["within_one"] = float((np.abs(said - known) <= 1).mean())
        rows.append(row)
    return rows


def levels_of(digit: Digit, values: Sequence[object]) -> np.ndarray:
    """The level that each value of an axis' column belongs to, int64 [n]; -1 for none, or one that it does not know."""
    if digit.kind == CLASSES:
        known = {name: at for at, label in enumerate(digit.labels) for name in (label, *label.split(", "))}
        return np.array([-1 if value is None else known.get(str(value), -1) for value in values], np.int64)
    first = np.array([float(label.partition(" to ")[0]) for label in digit.labels])
    numbers = np.array([np.nan if value is None or as_numbers([value]) is None else float(value) for value in values])
    return np.where(np.isnan(numbers), -1, np.maximum(np.searchsorted(first, numbers, side="right") - 1, 0))


def _labelled(digit: Digit, of: Labelled, column: str) -> tuple[np.ndarray, np.ndarray]:
    vectors, columns = of
    levels = levels_of(digit, columns[column])
    return vectors[levels >= 0], levels[levels >= 0]


def free(scheme: Scheme, ids: np.ndarray) -> list[dict]:
    """A row for each pair of a free axis and a named one: how often the free digit tells the named one, and how often
    the commonest level would."""
    rows = []
    for at, digit in enumerate(scheme.digits):
        for other, named in enumerate(scheme.digits):
            if digit.kind != FREE or not named.is_axis or named.kind == FREE:
                continue
            table = np.zeros((digit.levels, named.levels), np.int64)
            np.add.at(table, (ids[:, at], ids[:, other]), 1)
            told, most = table.max(1).sum() / len(ids), table.sum(0).max() / len(ids)
            rows.append({"axis": digit.name, "tells": named.name, "accuracy": float(told), "commonest": float(most)})
    return rows
