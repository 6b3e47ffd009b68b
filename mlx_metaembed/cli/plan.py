"""`metaembed plan`: what a run would hold, by part, before it is begun; and what would fit where it does not.

It takes a recipe and its options as `train` does, reads no weights, and needs neither data nor an engine with a GPU.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace

import click

from mlx_metaembed import architecture, data, dense, engine, families, locate
from mlx_metaembed import folder as folders
from mlx_metaembed.cli.options import json_option
from mlx_metaembed.cli.output import answer, note, table
from mlx_metaembed.cli.train import recipe_options
from mlx_metaembed.data.rows import require_trainable
from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe import read as read_recipe
from mlx_metaembed.sizes import format_size
from mlx_metaembed.train import defaults
from mlx_metaembed.train.plan import Job, Plan, Target, chips, choices, plan, roofline, shapes
from mlx_metaembed.train.plan.chips import Chip
from mlx_metaembed.train.plan.choices import Choice
from mlx_metaembed.train.plan.planned import require_shape

ALIASES = {"batch": "batch_size", "length": "max_seq_length"}


@click.command("plan")
@click.argument("recipe", required=False, metavar="[RECIPE.toml]")
@recipe_options
@click.option("--batch", type=int, help="The same as --batch-size.")
@click.option("--length", type=int, help="The same as --max-seq-length.")
@click.option("--columns", type=click.IntRange(2), help="Texts a row. Default: as --data has them, else 2.")
@click.option("--chip", help="Plan for this chip, like M2 Pro or H100. Default: this machine's.")
@json_option
def command(recipe: str | None, as_json: bool, columns: int | None, chip: str | None, **options: object) -> None:
    """Say what a run would hold in memory and how long a step takes, or what would fit instead.

    Exit status 0 where it fits or other settings do, 1 where nothing does.

    \b
    Examples:
      metaembed plan --model bge-small-en-v1.5 --batch 256 --length 512 --memory 8GB
      metaembed plan recipe.toml --train lora --chip "M2 Pro"
    """
    given = {ALIASES.get(name, name): value for name, value in options.items() if value is not None}
    chosen = Recipe(**(read_recipe(recipe) if recipe else {}) | given)
    job, known = _job(chosen, columns, chips.named(chip) if chip else None)
    made = plan(job, budget=chosen.memory_bytes)
    found = [] if made.fits else choices.choices(job, budget=chosen.memory_bytes)
    fitting = [each for each in found if each.plan.fits]
    _notes(made)
    result = _result(made, fitting, known)
    answer(result, as_json, _lines(result))
    if not made.fits and not fitting:
        sys.exit(1)


def _job(recipe: Recipe, columns: int | None, chip: Chip | None) -> tuple[Job, Chip | None]:
    """What is planned: the model's shape, the device, the length and the columns; and the chip, where it is known."""
    if not recipe.model:
        raise CallError('The recipe has no model; give --model, or model = "..." in the TOML file')
    folder = _folder(recipe.model)
    rows = None
    if recipe.data and (columns is None or recipe.batch_size is None):
        pairs = require_trainable(data.read(recipe.data, max_characters=recipe.max_characters), recipe.data)
        columns, rows = columns or 2 + pairs.most_negatives, len(pairs)
    recipe = defaults.completed(recipe, rows)
    if chip:
        target, dtype = chip.target, chip.dtype
        target = replace(target, engine=target.engine if recipe.engine == "auto" else recipe.engine)
    else:
        chosen = engine.choose(recipe.engine)
        target, dtype = Target.of(chosen.name, chosen.device), engine.automatic_dtype(chosen)[0]
        chip = chips.of_device(chosen.device)
    job = Job(
        recipe,
        folder,
        target,
        dtype if recipe.dtype == "auto" else recipe.dtype,
        length=_length(recipe, folder),
        columns=columns or 2,
    )
    return job, chip


def _folder(model: str) -> ModelFolder:
    """The model's folder, with shapes for weights where it has none; a hub's are fetched only where they are needed."""
    folder = folders.read(locate.resolve(model, weights=False))
    families.require(folder)
    require_shape(folder)
    modules = [folder.path / module.path / dense.FILE for module in folder.dense]
    if not shapes.exact(folder) or not all(path.is_file() for path in modules):
        folder = folders.read(locate.resolve(model))
    return folder if any((folder.base or folder.trunk_path).glob("model*.safetensors")) else shapes.of_config(folder)


def _length(recipe: Recipe, folder: ModelFolder) -> int:
    """Tokens of the longest text."""
    longest = architecture.positions(folder.config)
    if (recipe.max_seq_length or 0) > longest:
        raise CallError(f"max_seq_length = {recipe.max_seq_length}, but the model has {longest} positions")
    return recipe.max_seq_length or folder.max_seq_length


def _notes(made: Plan) -> None:
    """What the budget and the device are, where that is not plain."""
    target = made.job.target
    note(f"planned for {target.engine} on {target.kind}, {made.job.dtype}")
    if crowded := target.crowded(made.budget):
        note(crowded)


def _result(made: Plan, found: Sequence[Choice], chip: Chip | None) -> dict:
    """All of it, for --json."""
    job, work, shown = made.job, roofline.step(made), [chip] if chip else chips.CHIPS
    return {
        "model": str(job.folder.path),
        "engine": job.target.engine,
        "device": job.target.kind,
        "dtype": job.dtype,
        "texts": job.texts,
        "max_seq_length": job.length,
        "parts": made.parts,
        "moments": made.bytes.moments(made.chunk_tokens, held=None if made.cached else made.batch_tokens),
        "total": made.total,
        "budget": made.budget,
        "fits": made.fits,
        "chunk_tokens": made.chunk_tokens,
        "grad_cache": made.cached,
        "checkpointing": made.checkpointing,
        "train": job.recipe.train,
        "trained_parameters": made.bytes.trained,
        "optimizer": job.recipe.optimizer,
        "optimizer_bytes_a_parameter": made.bytes.stays["optimizer"] / made.bytes.trained,
        "most_shapes": made.most_shapes,
        "operations": work.operations,
        "seconds_a_step": {each.name: work.seconds(each, job.dtype) for each in shown},
        "reckoned_rates": [each.name for each in shown if each.estimated],
        "choices": [
            {
                "changes": dict(each.changes),
                "export_first": each.export,
                "total": each.plan.total,
                "chunk_tokens": each.plan.chunk_tokens,
                "words": each.words(),
            }
            for each in found
        ],
    }


def _lines(result: dict) -> list[str]:
    """The answer for people."""
    rows = [{"part": name, "bytes": format_size(size)} for name, size in result["parts"].items() if size]
    rows += [{"part": "total", "bytes": format_size(result["total"])}]
    rows += [{"part": "budget", "bytes": format_size(result["budget"])}]
    way = "GradCache" if result["grad_cache"] else "one graph"
    if result["train"] == "heads":
        way = "pooled vectors, computed once"
    lines = [
        *table(rows, ("part", "bytes")),
        f"trains: {result['train']}, {result['trained_parameters']:,} parameters; {result['optimizer']} keeps "
        f"{result['optimizer_bytes_a_parameter']:.2g} bytes for each",
        f"batch: {result['texts']:,} texts of up to {result['max_seq_length']} tokens, by {way}",
        f"chunks: {result['chunk_tokens']:,} tokens, in at most {result['most_shapes']} shapes; checkpointing "
        + ("on" if result["checkpointing"] else "off"),
    ]
    if result["fits"]:
        return lines + times(result["seconds_a_step"], result["dtype"], result["reckoned_rates"])
    over = result["total"] - result["budget"]
    least = format_size(result["total"])
    lines.append(f"does not fit: {format_size(over)} too much with the smallest chunk; the least is {least}")
    if not result["choices"]:
        return [*lines, "no other settings fit either; give a larger --memory or a smaller model"]
    lines.append("what fits, the least costly in quality first:")
    return lines + [
        f"  {each['words']}: {format_size(each['total'])}, chunks of {each['chunk_tokens']:,} tokens"
        for each in result["choices"][: choices.SHOWN]
    ]


def times(seconds: dict[str, float], dtype: str, reckoned: Sequence[str]) -> list[str]:
    """The least time of a step, on one chip or on each; the rates of those `reckoned` are not the vendor's."""
    if len(seconds) == 1:
        (name, least), *_ = seconds.items()
        mark = " (the chip's rate is reckoned, not published)" if reckoned else ""
        return [f"a step takes at least {_duration(least)} on {name}, at its peak rate in {dtype}{mark}"]
    rows = [
        {"chip": name, "least a step": _duration(least), "rate": "reckoned" if name in reckoned else "published"}
        for name, least in seconds.items()
    ]
    columns = ("chip", "least a step", "rate")
    return [f"the least time of a step, at each chip's peak rate in {dtype}:", *table(rows, columns)]


def _duration(seconds: float) -> str:
    return f"{seconds:,.1f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
