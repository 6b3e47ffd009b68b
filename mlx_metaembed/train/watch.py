"""What a run tells its caller: while it goes, and at its end."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Watch:
    """What the caller is told, and how it stops a run: `stopped` is asked after every step."""

    note: Callable[[str], None] = lambda text: None
    prepared: Callable[[str, int, int], None] = lambda what, texts, of: None
    step: Callable[[dict], None] = lambda row: None
    stopped: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Result:
    """A finished run: steps, the last loss (nats), seconds, padding share of the computed tokens, peak bytes."""

    out: str
    steps: int
    loss: float | None
    seconds: float
    padding: float
    shapes: int
    peak_memory_bytes: int
    planned_memory_bytes: int
    memory_bytes: int
    engine: str
    device: str
    dtype: str
