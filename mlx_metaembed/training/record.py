"""A run's record in its folder while it goes: the rows of its metrics, and its checkpoints. Rank 0 alone writes it."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from mlx_metaembed.engine.world import rank_0_first
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
        self._leads, self.saved = parts.world.rank == 0, parts.start

    def begin(self) -> list[dict]:
        """The rows that the log begins with: those of the steps that were done before."""
        if self._leads:
            return metrics.begin(self._parts.out, self._parts.start)
        return metrics.read(metrics.path_in(self._parts.start)) if self._parts.start else []

    def append(self, row: Mapping) -> None:
        """Add a row of metrics."""
        if self._leads:
            metrics.append(self._log, row)

    def rows(self) -> list[dict]:
        """The rows of the log, none where another rank has it."""
        return metrics.read(self._log) if self._leads else []

    def save(self, position: Position, best: Best | None) -> None:
        """Write a checkpoint of the model in the engine. Raises JobError where it can't, with what there is."""
        write = partial(self._save, position, best) if self._leads else partial(self._held, position.step)
        self.saved = rank_0_first(self._parts.world, self._parts.engine, write)

    def _held(self, step: int) -> Path | None:
        """The checkpoint of a step that rank 0 has written."""
        return checkpoint.held(self._parts.out, self._parts.run).get(step)

    def _save(self, position: Position, best: Best | None) -> Path:
        parts = self._parts
        masters, state = parts.engine.save()
        # The checkpoint that a resumed run began from goes once there is a newer one.
        source = replace(parts.folder, path=self.saved, trunk_folder="") if self.saved else parts.folder
        text = self._readme(source)
        made = (position, masters, state, text, parts.negatives, best)
        snapshot = Snapshot(source, parts.recipe, parts.adapter, parts.heads, *made)
        try:
            return checkpoint.save(parts.out, parts.run, snapshot)
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
