"""`metaembed plan`: what a run would hold, by part, before it is begun; and what would fit where it does not.

It takes a recipe and its options as `train` does, reads no weights, and needs neither data nor an engine with a GPU.
"""

import sys
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from mlx_metaembed import engine
from mlx_metaembed import folder as folders
from mlx_metaembed.cli import plan_answer
from mlx_metaembed.cli.options import json_option
from mlx_metaembed.cli.output import answer, note
from mlx_metaembed.cli.train import recipe_options
from mlx_metaembed.config import families, spellings
from mlx_metaembed.data.rows import Rows
from mlx_metaembed.data.sources import split
from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import ModelFolder, dense_files, locate
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe import read as read_recipe
from mlx_metaembed.recipe.long_form import long_form
from mlx_metaembed.training import defaults, head_tables, mined_negatives, model_parts, objective_tables, rows
from mlx_metaembed.training.plan import Job, Lengths, Plan, Target, chips, choices, known, measured, plan, shapes
from mlx_metaembed.training.plan.chips import Chip
from mlx_metaembed.training.plan.planned import require_shape
from mlx_metaembed.training.planned_run import steps

ALIASES = {"batch": "batch_size", "length": "max_seq_length"}


@click.command("plan")
@click.argument("recipe", required=False, metavar="[RECIPE.toml]")
@recipe_options
@click.option("--batch", type=int, help="The same as --batch-size.")
@click.option("--length", type=int, help="The same as --max-seq-length.")
@click.option("--chip", help="Plan for this chip, like M2 Pro or H100. Default: this machine's.")
@json_option
def command(recipe: str | None, as_json: bool, chip: str | None, **options: object) -> None:
    """Say what a run would hold in memory and how long a step takes, or what would fit instead.

    --columns 3 says how many texts a row has, where there is no data yet: as many as
    the losses need where nothing says it. Data that a recipe's file names may be missing, where --length is given.

    Exit status 0 where it fits or other settings do, 1 where nothing does.

    \b
    Examples:
      metaembed plan --model bge-small-en-v1.5 --batch 256 --length 512 --memory 8GB
      metaembed plan recipe.toml --train lora --chip "M2 Pro"
    """
    columns = _texts_a_row(options)
    twice = [
        f"--{name} and --{other.replace('_', '-')}" for name, other in ALIASES.items() if _both(options, name, other)
    ]
    if twice:
        raise CallError(f"{' and '.join(twice)} are one setting; give one of the two")
    given = {ALIASES.get(name, name): value for name, value in options.items() if value is not None}
    chosen = Recipe(**(read_recipe(recipe) if recipe else {}) | given)
    job, device = _job(chosen, columns, chips.named(chip) if chip else None, named=bool(given.get("data")))
    made = plan(job, budget=chosen.memory_bytes)
    updates = _updates(job)
    found = [] if made.fits else choices.choices(job, budget=chosen.memory_bytes)
    fitting = [each for each in found if each.plan.fits]
    _notes(made)
    result = plan_answer.result(made, fitting, device, updates)
    answer(result, as_json, plan_answer.lines(result))
    if not made.fits and not fitting:
        sys.exit(1)


def _texts_a_row(options: dict[str, object]) -> int | None:
    """The number in `--columns 3`, taken out of the options; a column map stays there."""
    given = str(options.get("columns") or "")
    if not given.isdecimal():
        return None
    options["columns"] = None
    if int(given) < 2:
        raise CallError(f"--columns {given}: a row has 2 texts or more")
    return int(given)


def _both(options: dict[str, object], name: str, other: str) -> bool:
    return options.get(name) is not None and options.get(other) is not None


def _job(recipe: Recipe, columns: int | None, chip: Chip | None, *, named: bool) -> tuple[Job, Chip | None]:
    """What is planned: the model's shape, the device, the length and the columns; and the chip, where it is known.

    `named`: whether the call itself names the data.
    """
    if not recipe.model:
        raise CallError('The recipe has no model; give --model, or model = "..." in the TOML file')
    folder, lengths, count, held = _folder(recipe.model), None, None, 0
    length, there = _length(recipe, folder), _data_is_there(recipe, named=named)
    long = long_form(recipe, head_tables.codes(folder))
    if long.sources:
        behind, objectives = objective_tables.read(recipe, folder)
    else:
        behind = model_parts.post_trunk(recipe, folder)
    if there:
        by_name = rows.read(long, objectives, lambda said: None)
        recipe, behind = model_parts.with_labels(recipe, behind, by_name)
        mined = mined_negatives.names(recipe, objectives, behind.heads)
        sets = list(mined_negatives.planned(by_name, mined, recipe).values())
        held = sum(mined_negatives.texts_of(by_name[name]) for name in mined)
        columns, count = columns or max(map(rows.texts_a_row, sets)), sum(map(len, sets))
        lengths = _lengths(recipe, folder, sets, columns)
    recipe = defaults.completed(recipe, count)
    if chip:
        target, dtype = chip.target, chip.dtype
        target = replace(target, engine=target.engine if recipe.engine == "auto" else recipe.engine)
    else:
        chosen = engine.choose(recipe.engine)
        target, dtype = Target.of(chosen.name, chosen.device), engine.automatic_dtype(chosen)[0]
        chip = chips.of_device(chosen.device)
    more = recipe.mine_negatives if recipe.mine_every else 0
    job = Job(
        recipe,
        folder,
        target,
        dtype if recipe.dtype == "auto" else recipe.dtype,
        length=min(length, lengths.longest) if lengths else length,
        columns=columns or rows.least_texts(objective_tables.losses(long), behind.heads) + more,
        lengths=lengths,
        mined=held,
    )
    return job, chip


def _data_is_there(recipe: Recipe, *, named: bool) -> bool:
    """Whether the data can be read; what a recipe's file names may come later, where the recipe says how long texts
    are."""
    paths = [table.path for table in recipe.sources] or [recipe.data]
    missing = [path for path in paths if path and not split(path)[0].expanduser().exists()]
    if missing and recipe.max_seq_length and not named:
        note(f"{', '.join(missing)}: not there, so that the lengths of the data's texts are not known")
        return False
    return bool(recipe.data or recipe.sources)


def _lengths(recipe: Recipe, folder: ModelFolder, sets: list[Rows], columns: int) -> Lengths:
    """How long the data's texts are; as long as they may be, and as many, where no tokenizer is at hand."""
    if (folder.trunk_path / "tokenizer.json").is_file():
        return measured(sets, folder, Tokenizer(folder, recipe.max_seq_length))
    note(f"{folder.path} has no tokenizer here, so that the lengths of the data's texts are not known")
    return Lengths(np.full((1, columns), _length(recipe, folder)), tuple(map(len, sets)))


def _updates(job: Job) -> int | None:
    """Updates of the whole run; None where neither the data nor the recipe says."""
    if job.recipe.iters:
        return job.recipe.iters
    return steps(job.recipe, job.lengths.sizes) if job.lengths else None


def _folder(model: str) -> ModelFolder:
    """The model's folder, with shapes for weights where it has none; a hub's are fetched only where they are needed.

    Of a common encoder that lies neither here nor among the installed ones the kit knows the shape.
    """
    if not Path(model).expanduser().is_dir() and not locate.installed(model) and (common := known.named(model)):
        note(f"{common.id}: its shape as the kit knows it; nothing was fetched")
        return common.folder()
    folder = folders.read(locate.resolve(model, weights=False))
    families.require(folder)
    require_shape(folder)
    modules = [folder.path / module.path / dense_files.FILE for module in folder.dense]
    if not shapes.exact(folder) or not all(path.is_file() for path in modules):
        folder = folders.read(locate.resolve(model))
    return folder if any((folder.base or folder.trunk_path).glob("model*.safetensors")) else shapes.of_config(folder)


def _length(recipe: Recipe, folder: ModelFolder) -> int:
    """Tokens of the longest text."""
    longest = spellings.positions(folder.config)
    if (recipe.max_seq_length or 0) > longest:
        raise CallError(f"max_seq_length = {recipe.max_seq_length}, but the model has {longest} positions")
    return recipe.max_seq_length or folder.max_seq_length


def _notes(made: Plan) -> None:
    """What the budget and the device are, where that is not plain."""
    target = made.job.target
    note(f"planned for {target.engine} on {target.kind}, {made.job.dtype}")
    if made.job.lengths is None:
        note(
            f"every text is taken to have {made.job.length} tokens, the most that it may have; --data FILE plans for "
            "the lengths of its texts"
        )
    if crowded := target.memory_warning(made.budget):
        note(crowded)
