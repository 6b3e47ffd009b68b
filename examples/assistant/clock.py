"""What the example's stages took."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from mlx_metaembed.files import disk


class Clock:
    """Seconds of each stage, by the clock and of the processor; a stage that finds its work done keeps what it took."""

    def __init__(self, out: Path):
        self._path = out / "seconds.json"
        self._kept = disk.optional_json(self._path)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        click.secho(stage, err=True, bold=True)
        began, used = time.perf_counter(), _processor()
        yield
        now = [time.perf_counter() - began, _processor() - used]
        self._kept[stage] = max(now, self._kept.get(stage, [0.0, 0.0]), key=lambda each: each[1])
        disk.write_json(self._path, self._kept)

    def facts(self) -> dict[str, float]:
        """The whole, and the same on two cores that do nothing else."""
        wall, processor = (sum(each[at] for each in self._kept.values()) for at in (0, 1))
        return {"elapsed_s": wall, "processor_s": processor, "on two free cores_s": processor / 2}


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
