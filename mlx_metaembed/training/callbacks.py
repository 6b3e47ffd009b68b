"""What a run tells its callers: while it goes, and at its end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlx_metaembed.errors import CallError
from mlx_metaembed.files.sizes import format_size
from mlx_metaembed.progress.duration import duration


@dataclass(frozen=True)
class Callbacks:
    """What a caller is told, and how it stops a run: `stopped` is asked after every step.

    `step` and `evaluated` get a row of metrics.jsonl; that of an evaluation has the measures as "eval/ndcg@10", and
    comes before the step's own. The first, of step 0, is the base model's.
    """

    note: Callable[[str], None] = lambda text: None
    prepared: Callable[[str, int, int], None] = lambda what, texts, of: None
    step: Callable[[dict], None] = lambda row: None
    evaluated: Callable[[dict], None] = lambda row: None
    stopped: Callable[[], bool] = lambda: False


def together(callbacks: Sequence[Callbacks]) -> Callbacks:
    """One that tells all of them, in their order; the run ends where any of them stops it.

    Raises CallError where one is something else.
    """
    if not isinstance(callbacks, list | tuple) or not all(isinstance(each, Callbacks) for each in callbacks):
        raise CallError(f"callbacks = {callbacks!r:.200}: expected a list of Callbacks")

    def tell(name: str) -> Callable:
        def told(*what: object) -> None:
            for each in callbacks:
                getattr(each, name)(*what)

        return told

    def stopped() -> bool:
        # Each is asked, whatever another one says.
        answers = [each.stopped() for each in callbacks]
        return any(answers)

    return Callbacks(**{name: tell(name) for name in ("note", "prepared", "step", "evaluated")}, stopped=stopped)


@dataclass(frozen=True)
class Result:
    """A finished run: rows of data, steps done, the last loss (nats), its means over the first and the last tenth of
    the steps, seconds, padding share of the computed tokens, peak bytes, and the path of its page.

    With eval_data also the metric: before the first step, at the best step, which the model is from, and at the last.
    `data_sets` has the part of each, where there are several, see `breakdown.data_sets`; their losses are averaged one
    set like another.
    """

    out: str
    rows: int
    steps: int
    loss: float | None
    loss_first: float | None
    loss_last: float | None
    seconds: float
    padding: float
    shapes: int
    peak_memory_bytes: int
    planned_memory_bytes: int
    memory_bytes: int
    engine: str
    device: str
    dtype: str
    metric: str | None = None
    start: float | None = None
    best_step: int | None = None
    best_metric: float | None = None
    last: float | None = None
    stopped_early: bool = False
    data_sets: Sequence[dict] = ()
    report: str | None = None

    def __repr__(self) -> str:
        said = [repr(self.out), f"{self.steps:,} steps", f"{self.rows:,} rows"]
        if self.loss_first is not None and self.loss_last is not None:
            said.append(f"loss {self.loss_first:.4g} to {self.loss_last:.4g}")
        elif self.loss is not None:
            said.append(f"loss {self.loss:.4g}")
        said += [duration(self.seconds), f"{self.dtype} on {self.engine} {self.device}"]
        said.append(f"peak {format_size(self.peak_memory_bytes)} of {format_size(self.memory_bytes)}")
        return f"Result({', '.join(said)})"
