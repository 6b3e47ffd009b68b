"""A run's evaluations as it goes: what is measured at which step, the best so far, and whether it has gone on enough.

Without eval_data nothing is measured, no step is the best, and the run goes to its end.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from mlx_metaembed.files import checksums
from mlx_metaembed.training import best as bests
from mlx_metaembed.training import checkpoint, evaluation
from mlx_metaembed.training.best import Best
from mlx_metaembed.training.callbacks import Callbacks
from mlx_metaembed.training.parts import Parts


class Evaluator:
    """The evaluations of a run whose log begins with `rows`."""

    def __init__(self, parts: Parts, watch: Callbacks, rows: Sequence[dict]):
        self._parts, self._watch, self._rows = parts, watch, list(rows)
        self.best: Best | None = None
        if parts.evaluation:
            held = checkpoint.held(parts.out, parts.run)
            self.best = bests.of_rows(parts.evaluation, rows, held)
            before = bests.of_rows(parts.evaluation, rows, {row["step"] for row in rows})
            if before.step != self.best.step:
                watch.note(f"The checkpoint of step {before.step}, the best so far, is no longer there")

    @property
    def best_step(self) -> int | None:
        return self.best and self.best.step

    @property
    def enough(self) -> bool:
        """Whether so many evaluations brought nothing better that the run ends."""
        patience = self._parts.recipe.early_stopping
        return bool(self.best and patience and self.best.waited >= patience)

    def base(self) -> dict:
        """The row of the model before the first step; empty where the log has it."""
        parts = self._parts
        if not parts.evaluation or parts.position.step:
            return {}
        advance = self._watch.prepared
        texts = parts.evaluation.texts
        found = self._measure(lambda count: advance("measuring the base model", count, texts))
        return {"step": 0, "steps": parts.steps, "epoch": 0.0} | found

    def measure(self, step: int) -> dict[str, float]:
        """What is measured after a step; empty where nothing is due. Raises as Evaluation.measure does."""
        parts = self._parts
        due = parts.evaluation and (step == parts.steps or step % evaluation.every(parts.recipe, parts.steps) == 0)
        return self._measure(lambda count: None) if due else {}

    def take(self, row: dict) -> bool:
        """Whether a step's row has measures; they are counted, and told to the callbacks."""
        if not any(name.startswith(evaluation.PREFIX) for name in row):
            return False
        self._rows.append(row)
        self.best = self.best.after(row)
        self._watch.evaluated(row)
        return True

    def choose(self, last: int) -> Path | None:
        """The checkpoint that becomes the model; None for that of the last step, which need not be written yet."""
        parts = self._parts
        if not parts.evaluation:
            return None
        held = checkpoint.held(parts.out, parts.run)
        steps = {*held, last}
        while True:
            self.best = bests.of_rows(parts.evaluation, self._rows, steps)
            if self.best.step in (None, last):
                return None
            path = held[self.best.step]
            if not (wrong := checksums.damage(path, path / checkpoint.CHECKSUMS)):
                return path
            self._watch.note(f"{path} is damaged ({'; '.join(wrong)}); the next best becomes the model")
            steps.remove(self.best.step)

    def result(self) -> dict[str, object]:
        """The metric at the start, at the best step and at the last one, by the names of Result."""
        if self.best is None:
            return {}
        best = self.best
        return {
            "metric": best.metric,
            "start": best.start,
            "best_step": best.step,
            "best_metric": best.value,
            "last": best.last,
        }

    def _measure(self, progress: Callable[[int], None]) -> dict[str, float]:
        parts = self._parts
        return parts.evaluation.measure(parts.engine, parts.plan.chunk_tokens, progress)
