"""What to change where a run does not fit, in the order of what it costs in quality.

First what gives the same gradient and costs time: smaller chunks (the plan takes them by itself), layers computed
twice. Then what moves the optimum least: moments in 8 bits, which end where AdamW does (arXiv:2110.02861, table 1); a
frozen word table, whose rows change least in fine-tuning; Adafactor, which has no first moment. Then fewer directions
to train in: LoRA; beside 4-bit weights, whose vectors differ already. Then what the model no longer sees: the ends of
long texts, and negatives of a batch. Heads alone come last.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from mlx_metaembed import recipe as recipes
from mlx_metaembed.errors import CallError
from mlx_metaembed.files.sizes import format_size
from mlx_metaembed.training import model_parts
from mlx_metaembed.training.plan import shapes
from mlx_metaembed.training.plan.parts import Job
from mlx_metaembed.training.plan.planned import Plan, plan

CHANGED = ("optimizer", "freeze_embeddings", "train")
"""The settings that `fit = "auto"` may change."""
SHOWN = 4
"""Choices that a message lists."""
SHORTEST, SMALLEST = 64, 8
"""Texts and batches are not cut below this."""


@dataclass(frozen=True)
class Choice:
    """Settings that differ from the recipe's, and the plan with them; `export`: on weights of 4 bits."""

    changes: Mapping[str, object]
    export: bool
    plan: Plan

    def words(self) -> str:
        options = [f"--{name.replace('_', '-')} {value}" for name, value in self.changes.items() if value is not True]
        options += [f"--{name.replace('_', '-')}" for name, value in self.changes.items() if value is True]
        return " ".join(options) + (" on a 4-bit export (metaembed export --to mlx)" if self.export else "")


def fitting(job: Job, *, budget: int, note: Callable[[str], None]) -> Plan:
    """The plan of a run: the recipe's own, or with `fit = "auto"` the first choice's that changes what trains.

    Raises CallError where none fits: by how much not, and the choices that do.
    """
    made = plan(job, budget=budget)
    if made.fits:
        return made
    found = [each for each in choices(job, budget=budget) if each.plan.fits]
    if job.recipe.fit == "auto":
        for each in found:
            if not each.export and set(each.changes) <= {*CHANGED, "checkpointing"}:
                note(f"fit: {each.words()}, since the recipe needs {format_size(made.total)} of {format_size(budget)}")
                return each.plan
    raise CallError(refusal(made, found))


def refusal(made: Plan, found: list[Choice]) -> str:
    """What is missing, and what would fit."""
    job = made.job
    lines = [
        f"memory = {format_size(made.budget)} is too little for {job.folder.path.name} at {job.length} tokens: "
        f"the least is {format_size(made.total)} ({words(made.parts)})."
    ]
    if found:
        lines.append("What fits, the least costly in quality first (--fit auto takes the first that needs no export):")
        lines += [
            f"  {each.words()}: {format_size(each.plan.total)}, chunks of {each.plan.chunk_tokens} tokens"
            for each in found[:SHOWN]
        ]
    else:
        lines.append("Nothing smaller fits; give a larger --memory")
    return "\n".join(lines)


def words(parts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {format_size(size)}" for name, size in parts.items() if size)


def choices(job: Job, *, budget: int) -> list[Choice]:
    """Every choice with its plan, fitting or not, in the order of what it costs in quality."""
    found = []
    for changes, export in _changes(job):
        folder = shapes.quantized(job.folder) if export else job.folder
        recipe = recipes.changed(job.recipe, **changes)
        length = min(job.length, recipe.max_seq_length or job.length)
        try:
            made = plan(replace(job, recipe=recipe, folder=folder, length=length), budget=budget)
        except CallError:
            # What the model does not have, like a layer for an adapter, is no choice.
            continue
        found.append(Choice(changes, export, made))
    return found


def _changes(job: Job) -> Iterator[tuple[dict, bool]]:
    recipe = job.recipe
    so_far: dict = {} if recipe.dropout or recipe.train == "heads" else {"checkpointing": "on"}
    if recipe.grad_cache == "off":
        so_far["grad_cache"] = "auto"
    if recipe.chunk_tokens:
        so_far["chunk_tokens"] = 1
    if so_far and (recipe.checkpointing == "off" or len(so_far) > 1):
        yield dict(so_far), False
    if recipe.checkpointing != "off":
        so_far.pop("checkpointing", None)
    if recipe.train == "full":
        if recipe.optimizer == "adamw":
            yield so_far | {"optimizer": "adamw_8bit"}, False
        if not recipe.freeze_embeddings:
            so_far["freeze_embeddings"] = True
            if recipe.optimizer == "adamw":
                yield so_far | {"optimizer": "adamw_8bit"}, False
            else:
                yield dict(so_far), False
        if recipe.optimizer != "adafactor":
            yield so_far | {"optimizer": "adafactor"}, False
        so_far.pop("freeze_embeddings", None)
        so_far |= {"train": "lora"}
        yield dict(so_far), False
    export = False
    if recipe.train != "heads" and job.target.quantized and not job.folder.quantization:
        export = True
        yield dict(so_far), True
    length, batch = job.length // 2, recipe.batch_size // 2
    while length >= SHORTEST:
        so_far["max_seq_length"] = length
        yield dict(so_far), export
        length //= 2
    while batch >= SMALLEST:
        so_far["batch_size"] = batch
        yield dict(so_far), export
        batch //= 2
    if recipe.train != "heads" and model_parts.post_trunk(recipe, job.folder).shapes:
        so_far["train"] = "heads"
        yield dict(so_far), export
