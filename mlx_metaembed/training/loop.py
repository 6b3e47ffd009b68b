"""The one loop: rows in a seeded order, a gradient, an update, a checkpoint; on either engine.

The order is a function of the seed and the step alone, so a run that was killed goes on as if it had not been.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice

import numpy as np

from mlx_metaembed.engine import DENSE, footprint
from mlx_metaembed.errors import JobError, StoppedError
from mlx_metaembed.files.sizes import format_size
from mlx_metaembed.inputs import chunks
from mlx_metaembed.training import batches, checkpoint, failures, metrics, sampling
from mlx_metaembed.training import by_width as by_widths
from mlx_metaembed.training.batches import Batch
from mlx_metaembed.training.breakdown import Breakdown, data_sets, loss_ends
from mlx_metaembed.training.callbacks import Callbacks, Result
from mlx_metaembed.training.claim import resume_command
from mlx_metaembed.training.evaluator import Evaluator
from mlx_metaembed.training.gradcache import gradient
from mlx_metaembed.training.objective import passed, total
from mlx_metaembed.training.optimizers.rates import Optimizer
from mlx_metaembed.training.parts import Parts
from mlx_metaembed.training.readme import readme
from mlx_metaembed.training.sampling import Source, schedule

OWN = 2**28
"""Bytes that a process grows by beside its arrays: libraries, compiled code, texts."""


class Loop:
    """The state that changes while a run goes."""

    def __init__(self, parts: Parts, watch: Callbacks):
        self.parts, self.watch, self.recipe = parts, watch, parts.recipe
        self.position, self.saved = parts.position, parts.start
        self.real, self.padded, self.shapes = 0, 0, set()
        self.breakdown = Breakdown(parts)
        # What the process held before is not the run's.
        self.before, self.peak = parts.footprint, 0

    def run(self) -> Result:
        parts, recipe = self.parts, self.recipe
        log = metrics.path_in(parts.out)
        before = metrics.begin(parts.out, parts.start)
        began = time.perf_counter() - (before[-1]["elapsed_s"] if before else 0.0)
        group_size = recipe.grad_accumulation_steps
        stream = self.breakdown.onward(self._batches(), self.position.step * group_size, before, group_size)
        row: dict = before[-1] if before else {"loss": None}
        self.evaluator = evaluator = Evaluator(parts, self.watch, before)
        if base := self._guarded(0, evaluator.base):
            base["elapsed_s"] = time.perf_counter() - began
            evaluator.take(base)
            metrics.append(log, base)
        for step in range(self.position.step + 1, parts.steps + 1):
            if evaluator.enough:
                break
            group = list(islice(stream, group_size))
            row = self._guarded(step, lambda step=step, group=group: self._step(step, group) | evaluator.measure(step))
            row["elapsed_s"] = time.perf_counter() - began
            measured = evaluator.take(row)
            if measured or step % recipe.steps_per_report == 0 or step == parts.steps:
                metrics.append(log, row)
                self.breakdown.reported()
            self.watch.step(row)
            self._keep_within_budget()
            stopped = self.watch.stopped()
            if step < parts.steps and (stopped or step % recipe.save_every == 0 or step == evaluator.best_step):
                self._save()
            if step < parts.steps and stopped:
                raise StoppedError(
                    f"Stopped after step {step} of {parts.steps}; a checkpoint is saved. {self._onward()}"
                )
        self.chosen = evaluator.choose(self.position.step)
        if self.chosen is None:
            self._save()
            self.chosen = self.saved
        rows = metrics.read(log)
        first, last = loss_ends(rows) or (row["loss"], row["loss"])
        return Result(
            out=str(parts.out),
            rows=parts.rows,
            steps=self.position.step,
            loss=row["loss"],
            loss_first=first,
            loss_last=last,
            seconds=time.perf_counter() - began,
            padding=chunks.padding_share(self.real, self.padded),
            shapes=len(self.shapes),
            peak_memory_bytes=self._measured(),
            planned_memory_bytes=parts.plan.total,
            memory_bytes=recipe.memory_bytes,
            engine=parts.engine.name,
            device=parts.engine.device,
            dtype=parts.dtype,
            stopped_early=self.position.step < parts.steps,
            data_sets=data_sets(rows),
            **evaluator.result(),
        )

    def _guarded(self, step: int, work: Callable[[], dict]) -> dict:
        """The row that a step's work gives. Raises JobError in words where memory is out, or vectors are not finite."""
        try:
            return work()
        except (MemoryError, RuntimeError) as error:
            raise failures.out_of_memory(
                step, error, self.recipe, self.parts.plan.chunk_tokens, f"{self._kept()} {self._onward()}"
            ) from error
        except FloatingPointError as error:
            raise JobError(self._diverged(step, str(error))) from error

    def _batches(self) -> Iterator[tuple[Source, Callable[[], Batch]]]:
        """All the batches of the run, epoch after epoch, each made when it is called for, with its data set."""
        parts, recipe = self.parts, self.recipe
        sampler = recipe.multi_dataset_batch_sampler
        for source, chosen in schedule(parts.sources, recipe.batch_size, sampler=sampler, seed=recipe.seed):
            yield source, partial(self._batch, source, chosen)

    def _batch(self, source: Source, chosen: np.ndarray) -> Batch:
        parts = self.parts
        if parts.vectors is not None:
            return batches.pooled_batch(source.rows, chosen)
        tokens = parts.plan.chunk_tokens
        return batches.batch(parts.store, source.rows, chosen, pad_id=parts.pad_id, chunk_tokens=tokens)

    def _step(self, step: int, group: Sequence[Callable[[], Batch]]) -> dict:
        """One update from a group of batches, and its row of metrics."""
        parts, recipe, scale = self.parts, self.recipe, self.position.scale
        at, tokens, losses, by_width = time.perf_counter(), 0, [], {}
        optimizer = Optimizer(recipe, step=step, steps=parts.steps, heads=parts.at_head_rate)
        for number, (source, make) in enumerate(group):
            batch = make()
            padded = sum(chunk.ids.size for chunk in batch.chunks)
            tokens += int(parts.store.lengths[batch.texts].sum())
            self.padded += padded
            self.shapes |= {chunk.ids.shape for chunk in batch.chunks}
            shown: list = []
            seen = shown.append if number == len(group) - 1 and by_widths.due(step, parts.steps) else None
            value, each = self._gradient(source, batch, padded, seen, seed=(recipe.seed, step, number))
            losses.append(value / scale.factor)
            self.breakdown.add(source, batch, losses[-1], each)
            for outputs in shown:
                by_width = by_widths.losses(parts.objectives_of(source), parts.engine, batch, outputs)
        loss = sum(losses) / len(losses)
        if not math.isfinite(loss):
            raise JobError(self._diverged(step, f"the loss is {loss}"))
        norm = parts.engine.update(optimizer, divide=len(group) * scale.factor, max_norm=recipe.max_grad_norm)
        finite = math.isfinite(norm)
        scale = scale.after(finite)
        if not finite and scale.hopeless:
            raise JobError(self._diverged(step, "the gradient is not finite"))
        self.position = replace(self.position, step=step, scale=scale)
        self.real += tokens
        return {
            "step": step,
            "steps": parts.steps,
            "epoch": round(step * recipe.grad_accumulation_steps / self._batches_an_epoch, 4),
            "loss": loss,
            **by_width,
            **self.breakdown.row(),
            "learning_rate": optimizer.learning_rate,
            "grad_norm": norm if finite else None,
            "tokens_per_second": tokens / (time.perf_counter() - at),
            "peak_memory_bytes": self._measured(),
            "planned_memory_bytes": parts.plan.total,
            "footprint_bytes": footprint.now(),
            "padding": chunks.padding_share(self.real, self.padded),
        }

    def _gradient(
        self, source: Source, batch: Batch, padded: int, seen: Callable | None, *, seed: Sequence[int]
    ) -> tuple[float, dict[str, float]]:
        """A batch's scaled total and each objective's loss, once its gradient is summed; `seen` gets the outputs."""
        parts = self.parts
        objectives = parts.objectives_of(source)
        frozen = parts.folder if parts.vectors is not None else None
        summed = total(
            objectives, parts.heads, parts.engine, batch, self.position.scale.factor, pooled=frozen, seen=seen
        )
        if parts.vectors is not None:
            return parts.engine.grads(summed, [{DENSE: parts.engine.array(parts.vectors[batch.texts])}])[:2]
        cached = self._cached(padded, len(batch.chunks))
        return gradient(parts.engine, batch.chunks, passed(objectives, parts.heads), summed, seed=seed, cached=cached)

    @property
    def _batches_an_epoch(self) -> int:
        return sampling.steps_per_epoch(
            [len(source.rows) for source in self.parts.sources],
            self.recipe.batch_size,
            self.recipe.multi_dataset_batch_sampler,
        )

    def _cached(self, padded: int, chunks: int) -> bool:
        """Whether a batch goes through GradCache: asked for, or too large to hold at once."""
        if self.recipe.grad_cache == "auto":
            return chunks > 1 and not self.parts.plan.holds(padded)
        return self.recipe.grad_cache == "on"

    def _save(self) -> None:
        parts = self.parts
        masters, state = parts.engine.save()
        # The checkpoint that a resumed run began from goes once there is a newer one.
        source = replace(parts.folder, path=self.saved, trunk_folder="") if self.saved else parts.folder
        base = checkpoint.base_name(self.recipe) if parts.adapter else None
        text = readme(
            parts.folder,
            source,
            self.recipe,
            rows=parts.rows,
            base=base,
            metrics=metrics.read(metrics.path_in(parts.out)),
            engine=f"{parts.engine.name} on {parts.engine.device}, {parts.dtype}",
        )
        try:
            self.saved = checkpoint.save(
                parts.out,
                parts.run,
                source,
                self.recipe,
                parts.adapter,
                parts.heads,
                self.position,
                masters,
                state,
                text,
                best=self.evaluator.best,
            )
        except JobError as error:
            raise JobError(f"{error} {self._kept()} When that is mended: {resume_command(parts.out)}") from error

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
                f"--memory. {self._kept()} {self._onward()}"
            )

    def _diverged(self, step: int, what: str) -> str:
        return failures.diverged(step, what, self.recipe, self.parts.dtype, self._kept())

    def _kept(self) -> str:
        return f"The last good checkpoint is {self.saved}." if self.saved else "No checkpoint had been written yet."

    def _onward(self) -> str:
        return f"Go on with: {resume_command(self.parts.out)}"
