"""A run's rows as a tracker takes them: one call a step, with its numbers alone."""

from collections.abc import Callable

from mlx_metaembed.training.callbacks import Callbacks


def numbers(row: dict) -> dict[str, float]:
    """The quantities of a row of metrics: all but the steps and what has no value."""
    return {
        name: value
        for name, value in row.items()
        if name not in ("step", "steps") and isinstance(value, int | float) and not isinstance(value, bool)
    }


def told(write: Callable[[dict], None]) -> Callbacks:
    """Callbacks that write the row of each step, with what was measured at it, and the base model's."""
    return Callbacks(step=write, evaluated=lambda row: None if row["step"] else write(row))
