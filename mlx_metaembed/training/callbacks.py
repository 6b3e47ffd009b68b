"""What a run tells its caller: while it goes, and at its end."""

from collections.abc import Callable
from dataclasses import dataclass

from mlx_metaembed.files.sizes import format_size
from mlx_metaembed.progress.duration import duration


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

    def __repr__(self) -> str:
        said = [repr(self.out), f"{self.steps:,} steps", f"{self.rows:,} rows"]
        if self.loss_first is not None and self.loss_last is not None:
            said.append(f"loss {self.loss_first:.4g} to {self.loss_last:.4g}")
        elif self.loss is not None:
            said.append(f"loss {self.loss:.4g}")
        said += [duration(self.seconds), f"{self.dtype} on {self.engine} {self.device}"]
        said.append(f"peak {format_size(self.peak_memory_bytes)} of {format_size(self.memory_bytes)}")
        return f"Result({', '.join(said)})"
