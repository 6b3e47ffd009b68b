"""The best step of a run by its metric, out of the rows of metrics.jsonl: a run that was killed finds the same again.

Each checkpoint names the best step up to its own in metaembed/best.json, by which its run keeps that one too.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk
from mlx_metaembed.folder import SIDE
from mlx_metaembed.training.evaluation import PREFIX, Evaluation

FILE = f"{SIDE}/best.json"


@dataclass(frozen=True)
class Best:
    """The metric before the first step (`start`), at the best step after it, and at the last that was evaluated.

    `data` is the key of the rows that were measured, `waited` how many evaluations came after the best one. Of two
    equal ones the earlier is the best.
    """

    metric: str
    data: str
    start: float | None = None
    step: int | None = None
    value: float | None = None
    last: float | None = None
    waited: int = 0

    def after(self, row: Mapping[str, object]) -> "Best":
        """The same with one more row of metrics."""
        value = row.get(PREFIX + self.metric)
        if value is None:
            return self
        said = asdict(self) | {"last": value}
        if row["step"] == 0:
            return Best(**said | {"start": value})
        if self.value is None or value > self.value:
            return Best(**said | {"step": row["step"], "value": value, "waited": 0})
        return Best(**said | {"waited": self.waited + 1})


def of_rows(evaluation: Evaluation, rows: Sequence[Mapping[str, object]], held: Collection[int]) -> Best:
    """The best of the rows so far among the steps whose checkpoints are `held`."""
    best = Best(evaluation.metric, evaluation.key)
    for row in rows:
        after = best.after(row)
        lost = after.step != best.step and after.step not in held
        best = Best(**asdict(best) | {"last": after.last, "waited": best.waited + 1}) if lost else after
    return best


def require_same(checkpoint: Path, evaluation: Evaluation | None) -> None:
    """Raise CallError where other rows were measured up to a checkpoint than are now."""
    said = disk.optional_json(checkpoint / FILE)
    if evaluation and said.get("data") not in (None, evaluation.key):
        raise CallError(
            f"eval_data has changed since {checkpoint} was written; resume with the same rows, or start a new run"
        )


def write(folder: Path, best: Best) -> None:
    """Name the best step in a checkpoint that is being written."""
    said = {name: value for name, value in asdict(best).items() if name not in ("last", "waited")}
    disk.write_json(folder / FILE, said)


def named(checkpoint: Path) -> int | None:
    """The best step that a checkpoint names; None where it names none."""
    try:
        step = disk.optional_json(checkpoint / FILE).get("step")
    except CallError:
        return None
    return step if type(step) is int else None
