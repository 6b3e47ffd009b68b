"""What a run tells its caller: while it goes, and at its end."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Callbacks:
    """What the caller is told, and how it stops a run: `stopped` is asked after every step."""

    note: Callable[[str], None] = lambda text: None
    prepared: Callable[[str, int, int], None] = lambda what, texts, of: None
    step: Callable[[dict], None] = lambda row: None
    stopped: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Result:
    """A finished run: rows of data, steps, the last loss (nats), its means over the first and the last tenth of the
    steps, seconds, padding share of the computed tokens, peak bytes, and the path of its page.
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
    report: str | None = None
