"""A run's record in its folder while it goes: the rows of its metrics, and its checkpoints."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mlx_metaembed.errors import JobError
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.training import checkpoint, metrics
from mlx_metaembed.training.best import Best
from mlx_metaembed.training.checkpoint import Position, Snapshot
from mlx_metaembed.training.claim import resume_command
from mlx_metaembed.training.parts import Parts
from mlx_metaembed.training.readme import readme


class Record:
    """The record of a run; `saved` is its newest checkpoint, or None before there is one."""

    def __init__(self, parts: Parts):
        self._parts, self._log = parts, metrics.path_in(parts.out)
        self.saved: Path | None = parts.start

    def begin(self) -> list[dict]:
        """The rows that the log begins with: those of the steps that were done before."""
        return metrics.begin(self._parts.out, self._parts.start)

    def append(self, row: Mapping) -> None:
        """Add a row of metrics."""
        metrics.append(self._log, row)

    def losses(self) -> tuple[float, float] | None:
        """The mean losses over the first and the last tenth of the rows; None where there are fewer than two."""
        return metrics.ends(metrics.read(self._log))

    def save(self, position: Position, best: Best | None) -> None:
        """Write a checkpoint of the model in the engine. Raises JobError where it can't, with what there is."""
        parts = self._parts
        masters, state = parts.engine.save()
        # The checkpoint that a resumed run began from goes once there is a newer one.
        source = replace(parts.folder, path=self.saved, trunk_folder="") if self.saved else parts.folder
        text = self._readme(source)
        snapshot = Snapshot(source, parts.recipe, parts.adapter, parts.heads, position, masters, state, text, best)
        try:
            self.saved = checkpoint.save(parts.out, parts.run, snapshot)
        except JobError as error:
            raise JobError(f"{error} {self.kept} When that is mended: {resume_command(parts.out)}") from error

    @property
    def kept(self) -> str:
        """Which checkpoint there is, in words."""
        return f"The last good checkpoint is {self.saved}." if self.saved else "No checkpoint had been written yet."

    @property
    def onward(self) -> str:
        """How the run goes on, in words."""
        return f"Go on with: {resume_command(self._parts.out)}"

    def _readme(self, source: ModelFolder) -> str:
        parts = self._parts
        return readme(
            parts.folder,
            source,
            parts.recipe,
            rows=parts.rows,
            base=checkpoint.base_name(parts.recipe) if parts.adapter else None,
            metrics=metrics.read(self._log),
            engine=f"{parts.engine.name} on {parts.engine.device}, {parts.dtype}",
        )
