"""The steps of a run: a gradient at what is learned, an update, the state kept; on either engine.

The order of the texts is a function of the seed and the step, so that a run that was ended goes on as if it had not
been. The optimizer is the kit's AdamW, without decay.
"""

import math
import time
from collections.abc import Callable

import numpy as np

from mlx_metaembed.conditioned_lm.batches import Batches
from mlx_metaembed.conditioned_lm.conditioned import Conditioned, total
from mlx_metaembed.conditioned_lm.settings import Settings
from mlx_metaembed.conditioned_lm.work import State, Work
from mlx_metaembed.engine.causal_model import Weights
from mlx_metaembed.errors import JobError, StoppedError
from mlx_metaembed.training.optimizers import adamw
from mlx_metaembed.training.schedule import factor
from mlx_metaembed.xp import namespace

EVERY, SHARE = 10.0, 0.05
"""Seconds between two saves, which is what a kill costs, and the most of a run's time that they may take."""
REPORTED = 10
"""Steps between two rows of the log."""
MOST_NORM = 1.0
SCHEDULE = "cosine"


def run(
    model: Conditioned,
    batches: Batches,
    settings: Settings,
    state: State,
    steps: int,
    work: Work,
    told: Callable[[dict], None] = lambda row: None,
    stopped: Callable[[], bool] = lambda: False,
) -> State:
    """Where the run stands after all steps, saved on the way and where it is ended.

    Raises JobError where a loss or a gradient is not finite, StoppedError where `stopped` says so.
    """
    saved, cost = time.monotonic(), 0.0
    # One name for all that a step changes: whatever ends the run, what is kept is of one step.
    now = (state.step, model.arrays(state.weights), _moments(model, state), tuple(state.log))
    try:
        while now[0] < steps:
            at, step = time.monotonic(), now[0] + 1
            batch = batches.at(step)
            loss, gradients = _gradient(model, now[1], batch)
            norm = _norm(model, gradients)
            if not math.isfinite(loss) or not math.isfinite(norm):
                raise JobError(
                    f"Step {step}: the loss is {loss:g}, and its gradient's norm {norm:g}. Likely causes: a learning "
                    f"rate that is too high ({settings.rate:g}), or a base that is damaged. The step changed nothing"
                )
            rate = settings.rate * factor(SCHEDULE, step=step, steps=steps, warmup_ratio=settings.warmup_ratio)
            weights, moments = _updated(model, now[1], gradients, now[2], rate, step, norm)
            model.model.settled(weights, *[dict(enumerate(each)) for each in moments.values()])
            row = {"step": step, "steps": steps, "loss": loss, "learning_rate": rate}
            now = (step, weights, moments, (*now[3], row) if step % REPORTED == 0 or step == steps else now[3])
            told(row | {"tokens_per_second": batch.count / max(time.monotonic() - at, 1e-9)})
            if stopped():
                raise StoppedError(f"Stopped after step {step} of {steps}")
            if (began := time.monotonic()) - saved > max(EVERY, cost / SHARE):
                work.save(_state(model, *now))
                saved = time.monotonic()
                cost = saved - began
    except BaseException:
        if now[0] > state.step:
            work.save(_state(model, *now))
        raise
    return _state(model, *now)


def _state(model: Conditioned, step: int, weights: Weights, moments: dict[str, list], log: tuple[dict, ...]) -> State:
    """Where a run stands, as NumPy."""
    flat = {f"{name}.{at}": each for name, both in moments.items() for at, each in enumerate(both)}
    found = [{name: model.model.numpy(each) for name, each in arrays.items()} for arrays in (weights, flat)]
    return State(step, *found, list(log))


def _moments(model: Conditioned, state: State) -> dict[str, list]:
    found: dict[str, list] = {name: [] for name in state.weights}
    for full in sorted(state.moments):
        found[full.rpartition(".")[0]].append(model.model.array(state.moments[full]))
    return found


def _gradient(model: Conditioned, weights: Weights, batch: object) -> tuple[float, Weights]:
    """The mean loss of a batch's tokens in nats and its gradient, part by part of what is held at once."""
    value, sums = 0.0, {}
    for part in batch.parts(model.model.tokens):
        loss, found = model.model.gradients(
            lambda given, part=part: total(model.losses(given, part.digits, part.ids, part.mask), batch.count), weights
        )
        value += loss
        sums = {name: sums[name] + each if name in sums else each for name, each in found.items()}
    return value, sums


def _norm(model: Conditioned, gradients: Weights) -> float:
    """The length of all gradients together."""
    squares = 0.0
    for each in gradients.values():
        squares = squares + namespace(each).sum(each * each)
    return float(model.model.numpy(squares)) ** 0.5


def _updated(
    model: Conditioned,
    weights: Weights,
    gradients: Weights,
    moments: dict[str, list],
    rate: float,
    step: int,
    norm: float,
) -> tuple[Weights, dict[str, list]]:
    """The weights and moments after a step; the gradient of this norm is scaled down to MOST_NORM."""
    scalars = model.model.array(np.array([rate, 1.0, *adamw.corrections(step)], np.float32))
    made, kept = {}, {}
    for name, weight in weights.items():
        gradient = gradients[name] * min(1.0, MOST_NORM / (norm + 1e-6))
        made[name], kept[name] = adamw.apply(weight, gradient, moments[name] or adamw.initial(weight), scalars)
    return made, kept
