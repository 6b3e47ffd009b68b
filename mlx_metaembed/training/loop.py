"""The one loop: rows in a seeded order, a gradient, an update, a checkpoint; on either engine.

The order is a function of the seed and the step alone, so a run that was killed goes on as if it had not been.
"""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from mlx_metaembed.engine import footprint
from mlx_metaembed.engine.world import any_rank
from mlx_metaembed.errors import JobError, StoppedError
from mlx_metaembed.files.sizes import format_size
from mlx_metaembed.heads.encoding import CHUNK_TOKENS
from mlx_metaembed.inputs import chunks
from mlx_metaembed.training import failures, mined_negatives, pooled_vectors, sampling
from mlx_metaembed.training.breakdown import Breakdown, data_sets, loss_ends
from mlx_metaembed.training.callbacks import Callbacks, Result
from mlx_metaembed.training.evaluator import Evaluator
from mlx_metaembed.training.group import Group, descend, groups
from mlx_metaembed.training.optimizers.rates import Optimizer
from mlx_metaembed.training.parts import Parts
from mlx_metaembed.training.record import Record

OWN = 2**28
"""Bytes that a process grows by beside its arrays: libraries, compiled code, texts."""


class Loop:
    """The state that changes while a run goes."""

    def __init__(self, parts: Parts, watch: Callbacks):
        self.parts, self.watch, self.recipe = parts, watch, parts.recipe
        self.position, self.record = parts.position, Record(parts)
        self.real, self.padded, self.shapes = 0, 0, set()
        self.breakdown = Breakdown(parts)
        # What the process held before is not the run's.
        self.before, self.peak = parts.footprint, 0

    def run(self) -> Result:
        """The steps that are left, and the result; `chosen` is then the checkpoint that becomes the model.

        Raises JobError where a step fails, StoppedError where a callback ends the run.
        """
        before = self.record.begin()
        self.began = time.perf_counter() - (before[-1]["elapsed_s"] if before else 0.0)
        self.evaluator = Evaluator(self.parts, self.watch, before)
        row: dict = before[-1] if before else {"loss": None}
        self._measure_base()
        stream = groups(self.parts, self.breakdown, before, after=self.position.step)
        for step in range(self.position.step + 1, self.parts.steps + 1):
            if self.recipe.early_stopping and self._any(self.evaluator.enough):
                break
            row = self._row(step, next(stream))
            self._keep_within_budget()
            self._keep_checkpoint(step)
        leads = self.parts.world.rank == 0
        self.chosen = self.evaluator.choose(self.position.step) if leads else None
        if self._any(leads and self.chosen is None):
            self._save()
            self.chosen = self.record.saved
        return self._result(row)

    def _measure_base(self) -> None:
        """The base model's row, where the run measures and the log does not have it."""
        if base := self._guarded(0, self.evaluator.base):
            base["elapsed_s"] = time.perf_counter() - self.began
            self.evaluator.take(base)
            self.record.append(base)

    def _row(self, step: int, group: Group) -> dict:
        """A step done and measured: its row of metrics, logged where it is due, and told."""
        mined = self._guarded(step, lambda: self._mine(step - 1))
        row = self._guarded(step, lambda: self._step(step, group) | mined | self.evaluator.measure(step))
        row["elapsed_s"] = time.perf_counter() - self.began
        measured = self.evaluator.take(row)
        if mined or measured or step % self.recipe.steps_per_report == 0 or step == self.parts.steps:
            self.record.append(row)
            self.breakdown.reported()
        self.watch.step(row)
        return row

    def _mine(self, done: int) -> dict:
        """What was mined after so many steps, where it is due: each row's negatives are others from here on."""
        parts, negatives = self.parts, self.parts.negatives
        if not negatives.due(done):
            return {}
        found: dict = {}
        if parts.world.rank == 0:

            def advance(count: int) -> None:
                self.watch.prepared("mining negatives", count, negatives.texts)

            encode = partial(self._vectors, advance)
            found = negatives.mine(encode, seed=(self.recipe.seed, done))
            self.watch.note(mined_negatives.words(found, done))
        negatives.shared(parts.world, parts.engine)
        return found

    def _vectors(self, advance: Callable[[int], None], texts: np.ndarray) -> np.ndarray:
        """Vectors float32 [n, D] of some texts, by number, of the model as it is."""
        parts = self.parts
        if parts.vectors is not None:
            windows = pooled_vectors.finished(parts.engine, parts.folder, parts.vectors, texts, advance=advance)
        else:
            own = {"pad_id": parts.pad_id, "chunk_tokens": min(parts.plan.chunk_tokens, CHUNK_TOKENS)}
            windows = pooled_vectors.embedded(parts.engine, parts.store, **own, advance=advance, chosen=texts)
        found = np.concatenate(list(windows))
        if not np.isfinite(found).all():
            raise FloatingPointError("the vectors that negatives are mined by are not finite")
        return found

    def _keep_checkpoint(self, step: int) -> None:
        """Save where it is due. Raises StoppedError, once that is done, where a callback says so."""
        stopped, steps = self._any(self.watch.stopped()), self.parts.steps
        if step == steps:
            return
        best = bool(self.recipe.eval_data) and self._any(step == self.evaluator.best_step)
        if stopped or best or step % self.recipe.save_every == 0:
            self._save()
        if stopped:
            raise StoppedError(f"Stopped after step {step} of {steps}; a checkpoint is saved. {self.record.onward}")

    def _guarded(self, step: int, work: Callable[[], dict]) -> dict:
        """The row that a step's work gives. Raises JobError in words where memory is out, or vectors are not finite."""
        try:
            return work()
        except (MemoryError, RuntimeError) as error:
            onward = f"{self.record.kept} {self.record.onward}"
            raise failures.out_of_memory(step, error, self.recipe, self.parts.plan.chunk_tokens, onward) from error
        except FloatingPointError as error:
            raise JobError(self._diverged(step, str(error))) from error

    def _step(self, step: int, group: Group) -> dict:
        """One update from a group of batches, and its row of metrics."""
        at, scale = time.perf_counter(), self.position.scale
        optimizer = Optimizer(self.recipe, step=step, steps=self.parts.steps, heads=self.parts.at_head_rate)
        sums = descend(self.parts, self.breakdown, group, step=step, scale=scale.factor)
        if not math.isfinite(sums.loss):
            raise JobError(self._diverged(step, f"the loss is {sums.loss}"))
        norm = self._update(step, optimizer, divide=len(group) * scale.factor)
        self.real, self.padded, self.shapes = (
            self.real + sums.real,
            self.padded + sums.padded,
            self.shapes | sums.shapes,
        )
        return {
            "step": step,
            "steps": self.parts.steps,
            "epoch": round(step * self.recipe.grad_accumulation_steps / self._batches_an_epoch, 4),
            "loss": sums.loss,
            **sums.by_width,
            **self.breakdown.row(),
            "learning_rate": optimizer.learning_rate,
            "grad_norm": norm,
            "tokens_per_second": sums.real / (time.perf_counter() - at),
            "peak_memory_bytes": self._measured(),
            "planned_memory_bytes": self.parts.plan.total,
            "footprint_bytes": footprint.now(),
            "padding": chunks.padding_share(self.real, self.padded),
        }

    def _update(self, step: int, optimizer: Optimizer, *, divide: float) -> float | None:
        """The norm of the gradient, once it is applied; None where it was not finite and nothing changed but the loss
        scale. Raises JobError where no scale would help.
        """
        limit, world = self.recipe.max_grad_norm, self.parts.world
        norm = self.parts.engine.update(optimizer, divide=divide, max_norm=limit, world=world)
        finite = math.isfinite(norm)
        scale = self.position.scale.after(finite)
        if not finite and scale.hopeless:
            raise JobError(self._diverged(step, "the gradient is not finite"))
        self.position = replace(self.position, step=step, scale=scale)
        return norm if finite else None

    def _result(self, row: dict) -> Result:
        """What is told of the run, whose last row of metrics is `row`."""
        parts = self.parts
        rows = self.record.rows()
        first, last = loss_ends(rows) or (row["loss"], row["loss"])
        return Result(
            out=str(parts.out),
            rows=parts.rows,
            steps=self.position.step,
            loss=row["loss"],
            loss_first=first,
            loss_last=last,
            seconds=time.perf_counter() - self.began,
            padding=chunks.padding_share(self.real, self.padded),
            shapes=len(self.shapes),
            peak_memory_bytes=self._measured(),
            planned_memory_bytes=parts.plan.total,
            memory_bytes=self.recipe.memory_bytes,
            engine=parts.engine.name,
            device=parts.engine.device,
            dtype=parts.dtype,
            stopped_early=self.position.step < parts.steps,
            data_sets=data_sets(rows),
            **self.evaluator.result(),
        )

    @property
    def _batches_an_epoch(self) -> int:
        return sampling.steps_per_epoch(
            [len(source.rows) for source in self.parts.sources],
            self.recipe.batch_size,
            self.recipe.multi_dataset_batch_sampler,
        )

    def _any(self, said: bool) -> bool:
        """Whether any of the run's processes says so, for what all must do together."""
        return any_rank(self.parts.world, self.parts.engine, said)

    def _save(self) -> None:
        self.record.save(self.position, self.evaluator.best)

    def _measured(self) -> int:
        """The most that the engine has held in this run, bytes."""
        self.peak = max(self.peak, self.parts.engine.memory())
        return self.peak

    def _keep_within_budget(self) -> None:
        """Stop where the engine's peak, or what the process has grown by, is over the budget."""
        peak, budget = self.peak, self.recipe.memory_bytes
        if footprint.now() - self.before > budget + OWN:
            # The allocator's cache can be given back.
            self.parts.engine.memory(reset=True)
            peak = max(peak, footprint.now() - self.before - OWN)
        if peak > budget:
            raise JobError(
                f"Step {self.position.step} held {format_size(peak)}, over the budget of {self.recipe.memory}. "
                f"Give a smaller --chunk-tokens (now {self.parts.plan.chunk_tokens}), or a larger "
                f"--memory. {self.record.kept} {self.record.onward}"
            )

    def _diverged(self, step: int, what: str) -> str:
        return failures.diverged(step, what, self.recipe, self.parts.dtype, self.record.kept)
