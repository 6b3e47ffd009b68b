"""Weights & Biases: the rows of a run and its recipe, under the run's own id, so that a resumed run goes on there too.

Project, offline mode and key are as wandb takes them: WANDB_PROJECT, WANDB_MODE, `wandb login`.
"""

import os
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from mlx_metaembed.errors import JobError
from mlx_metaembed.folder import SIDE
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.callbacks import Callbacks
from mlx_metaembed.training.claim import resume_command
from mlx_metaembed.training.trackers.rows import numbers, told

PROJECT = "mlx-metaembed"


def begin(recipe: Recipe, out: Path, run: str, until: ExitStack) -> Callbacks:
    """Callbacks that log; the run at wandb ends when `until` is closed. Raises JobError where wandb can't begin."""
    import wandb

    try:
        log = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=out.absolute().name,
            id=run,
            resume="allow",
            dir=str(out / SIDE),
            config=asdict(recipe),
            settings=wandb.Settings(silent=True),
        )
    except wandb.Error as error:
        raise JobError(
            f"report_to = 'wandb' can't begin ({error}). Log in with `wandb login`, or keep it here with "
            f"WANDB_MODE=offline; then: {resume_command(out)}"
        ) from error
    until.push(lambda kind, *failed: log.finish(exit_code=int(kind is not None)) and False)
    return told(lambda row: log.log(numbers(row), step=row["step"]))
