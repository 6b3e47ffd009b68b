"""A scheme out of a model's vectors: the axes, then the code digits of what they leave."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.semantic_ids import axes, code_digits
from mlx_metaembed.semantic_ids.choices import AxisChoice, Choices
from mlx_metaembed.semantic_ids.digit import Digit
from mlx_metaembed.semantic_ids.scheme import Scheme, require

Told = Callable[[str], None]
Encode = Callable[[Sequence[str]], np.ndarray]


def fit(
    vectors: np.ndarray,
    columns: Mapping[str, Sequence[object]],
    choices: Choices,
    encode: Encode | None = None,
    told: Told = lambda what: None,
) -> Scheme:
    """The scheme of vectors [n, D]; `columns` has the labels of each column that an axis names, None for none.

    `encode` gives the vectors of prompts; `told` hears which digit is being fitted. Raises CallError where an axis has
    nothing to learn from, or there are fewer vectors than levels.
    """
    choices.require()
    vectors = require(vectors)
    read: list[Digit] = []
    for axis in choices.axes:
        told(f"axis {axis.name}")
        read.append(_axis(axis, vectors, columns, read, choices.seed, encode))
    mean = vectors.mean(0)
    left, found = vectors - mean, []
    for digit in read:
        levels = digit.of(vectors)
        found.append(axes.standing_for(digit, levels, left))
        left = left - found[-1].centroids[levels]
    levels = code_digits.levels_for(len(vectors)) if choices.levels is None else choices.levels
    for at, count in enumerate(levels):
        told(f"digit {len(read) + at + 1} of {len(read) + len(levels)}")
        # A seed of its own for each digit: a digit more changes none before it.
        random = np.random.default_rng((choices.seed, at))
        digit = code_digits.fitted(left, count, choices.method, random)
        found.append(digit)
        left = left - digit.centroids[digit.of(left)]
    return Scheme(mean, tuple(found))


def _axis(
    axis: AxisChoice,
    vectors: np.ndarray,
    columns: Mapping[str, Sequence[object]],
    others: Sequence[Digit],
    seed: int,
    encode: Encode | None,
) -> Digit:
    if axis.prompts:
        return axes.of_prompts(axis.name, vectors, require(encode(axis.prompts)), axis.prompts, axis.levels)
    if not axis.column:
        return axes.free(axis.name, vectors, others, axis.levels, seed)
    values = columns[axis.column]
    rows = [at for at, value in enumerate(values) if value is not None]
    labels, numbers = _labelled(axis, columns)
    if numbers is None:
        return axes.of_classes(axis.name, vectors[rows], labels, axis.levels, seed)
    return axes.of_values(axis.name, vectors[rows], numbers, axis.levels)


def require_columns(columns: Mapping[str, Sequence[object]], choices: Choices) -> None:
    """Raise CallError, all faults at once, where an axis of a column has nothing to learn from."""
    wrong = []
    for axis in (axis for axis in choices.axes if axis.column):
        try:
            labels, numbers = _labelled(axis, columns)
            if numbers is None:
                axes.require_classes(axis.name, labels)
            else:
                axes.require_values(axis.name, numbers)
        except CallError as error:
            wrong.append(str(error))
    if wrong:
        raise faults("These axes can't be learned:", wrong) if len(wrong) > 1 else CallError(wrong[0])


def _labelled(axis: AxisChoice, columns: Mapping[str, Sequence[object]]) -> tuple[list[str], np.ndarray | None]:
    """The classes of the texts that have a value in the axis' column, and the numbers where they are such."""
    given = [value for value in columns[axis.column] if value is not None]
    if not given:
        raise CallError(f"Axis {axis.name}: no row has a value in the column {axis.column!r}")
    return [str(value) for value in given], as_numbers(given)


def as_numbers(values: Sequence[object]) -> np.ndarray | None:
    """A column's values float64 [n] where all are numbers, or spell some; None where they are classes."""
    try:
        found = np.array([float(value) for value in values if not isinstance(value, bool)], np.float64)
    except (TypeError, ValueError):
        return None
    return found if len(found) == len(values) and np.isfinite(found).all() else None
