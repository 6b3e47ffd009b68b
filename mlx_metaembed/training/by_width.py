"""Each objective's loss, and those at each of its widths, for people to read: computed some hundred times a run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlx_metaembed.engine import DENSE, Engine
from mlx_metaembed.heads.output import Output
from mlx_metaembed.training.batches import Batch
from mlx_metaembed.training.objective import Objective, samples

TIMES = 100
"""How often in a run."""


def due(step: int, steps: int) -> bool:
    """Whether the losses are computed at a step: the first, the last, and some between."""
    return step in (1, steps) or step % max(1, steps // TIMES) == 0


def losses(
    objectives: Sequence[Objective], engine: Engine, batch: Batch, outputs: Mapping[str, Output]
) -> dict[str, float]:
    """`{"loss@384": ..., "loss@codes": ...}` of a batch's outputs by head; empty where there is one loss alone."""
    single = [each for whole in objectives for each in _by_width(whole, len(objectives) > 1)]
    if len(single) < 2:
        return {}
    given = samples(single, engine, batch)
    found = {}
    for each in single:
        found[f"loss@{each.name}"] = float(engine.numpy(each.loss(given[each.name](outputs))))
    return found


def _by_width(whole: Objective, several: bool) -> list[Objective]:
    """An objective at each of its widths; a name says the width alone where it is the vectors' only one."""
    if not whole.widths:
        return [whole]
    named = "" if whole.head == DENSE and whole.name == DENSE else f"{whole.name}@"
    return [replace(whole, name=f"{named}{width}", widths=(width,), width_weights=()) for width in whole.widths]
