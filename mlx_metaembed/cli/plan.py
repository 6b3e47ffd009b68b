"""`metaembed plan`: what a run would hold, by part, before it is begun; and what would fit where it does not.

It takes a recipe and its options as `train` does, reads no weights, and needs neither data nor an engine with a GPU.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from mlx_metaembed import architecture, data, engine, families, locate
from mlx_metaembed import folder as folders
from mlx_metaembed.cli.options import json_option
from mlx_metaembed.cli.output import answer, note, table
from mlx_metaembed.cli.train import recipe_options
from mlx_metaembed.data.rows import Pairs, require_trainable
from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import ModelFolder, dense_files
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe import read as read_recipe
from mlx_metaembed.sizes import format_size
from mlx_metaembed.tokens import Tokenizer
from mlx_metaembed.train import defaults
from mlx_metaembed.train.plan import (
    Job,
    Lengths,
    Plan,
    Target,
    chips,
    choices,
    known,
    measured,
    plan,
    roofline,
    shapes,
)
from mlx_metaembed.train.plan.chips import Chip
from mlx_metaembed.train.plan.choices import Choice
from mlx_metaembed.train.plan.planned import require_shape
from mlx_metaembed.train.setup import steps

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

    --columns 3 says how many texts a row has, where there is no --data yet: 2 where nothing says it.

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
    job, device = _job(chosen, columns, chips.named(chip) if chip else None)
    made = plan(job, budget=chosen.memory_bytes)
    updates = _updates(job)
    found = [] if made.fits else choices.choices(job, budget=chosen.memory_bytes)
    fitting = [each for each in found if each.plan.fits]
    _notes(made)
    result = _result(made, fitting, device, updates)
    answer(result, as_json, _lines(result))
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


def _job(recipe: Recipe, columns: int | None, chip: Chip | None) -> tuple[Job, Chip | None]:
    """What is planned: the model's shape, the device, the length and the columns; and the chip, where it is known."""
    if not recipe.model:
        raise CallError('The recipe has no model; give --model, or model = "..." in the TOML file')
    folder, lengths, count = _folder(recipe.model), None, None
    length = _length(recipe, folder)
    if recipe.data:
        rows = data.read(
            recipe.data,
            columns=recipe.columns,
            no_header=recipe.no_header,
            max_characters=recipe.max_characters,
            training=True,
        )
        pairs = require_trainable(rows, recipe.data)
        columns, count = columns or 2 + pairs.most_negatives, len(pairs)
        lengths = _lengths(recipe, folder, pairs)
    recipe = defaults.completed(recipe, count)
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
        length=min(length, lengths.longest) if lengths else length,
        columns=columns or 2,
        lengths=lengths,
    )
    return job, chip


def _lengths(recipe: Recipe, folder: ModelFolder, pairs: Pairs) -> Lengths:
    """How long the data's texts are; as long as they may be, and as many, where no tokenizer is at hand."""
    if (folder.trunk_path / "tokenizer.json").is_file():
        return measured(pairs, folder, Tokenizer(folder, recipe.max_seq_length))
    note(f"{folder.path} has no tokenizer here, so that the lengths of the data's texts are not known")
    return Lengths(np.full((1, 2 + pairs.most_negatives), _length(recipe, folder)), len(pairs))


def _updates(job: Job) -> int | None:
    """Updates of the whole run; None where neither the data nor the recipe says."""
    if job.recipe.iters:
        return job.recipe.iters
    return steps(job.recipe, job.lengths.rows) if job.lengths else None


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
    longest = architecture.positions(folder.config)
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
    if crowded := target.crowded(made.budget):
        note(crowded)


def _result(made: Plan, found: Sequence[Choice], chip: Chip | None, updates: int | None) -> dict:
    """All of it, for --json."""
    job, work, shown = made.job, roofline.step(made), [chip] if chip else chips.CHIPS
    seconds = {each.name: work.seconds(each, job.dtype) for each in shown}
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
        "batch_tokens": made.batch_tokens,
        "usual_batch_tokens": job.usual_tokens,
        "lengths": "as the data's" if job.lengths else "full",
        "seconds_a_step": seconds,
        "steps": updates,
        "seconds_a_run": updates and {name: updates * each for name, each in seconds.items()},
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
        f"batch: {result['texts']:,} texts of up to {result['max_seq_length']} tokens{_fullest(result)}, by {way}",
        f"chunks: {result['chunk_tokens']:,} tokens, in at most {result['most_shapes']} shapes; checkpointing "
        + ("on" if result["checkpointing"] else "off"),
    ]
    if result["fits"]:
        return lines + times(result["seconds_a_step"], result["dtype"], result["reckoned_rates"], result["steps"])
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


def _fullest(result: dict) -> str:
    """What the data's own lengths make of a batch; nothing where all texts are taken to be full."""
    if result["lengths"] == "full":
        return ""
    return f", {result['usual_batch_tokens']:,} tokens together and {result['batch_tokens']:,} in the fullest"


def times(seconds: dict[str, float], dtype: str, reckoned: Sequence[str], updates: int | None = None) -> list[str]:
    """The least time of a step, on one chip or on each, and of all `updates` where their number is known.

    The rates of those `reckoned` are not the vendor's.
    """
    if len(seconds) == 1:
        (name, least), *_ = seconds.items()
        mark = " (the chip's rate is reckoned, not published)" if reckoned else ""
        lines = [f"a step takes at least {_duration(least)} on {name}, at its peak rate in {dtype}{mark}"]
        if updates:
            whole = _duration(updates * least)
            lines.append(f"the run, {updates:,} steps, takes at least {whole}; real ones take a few times as long")
        return lines
    rows = [
        {"chip": name, "least a step": _duration(least), "rate": "reckoned" if name in reckoned else "published"}
        for name, least in seconds.items()
    ]
    columns = ("chip", "least a step", "rate")
    if updates:
        columns = ("chip", "least a step", "least the run", "rate")
        rows = [row | {"least the run": _duration(updates * seconds[row["chip"]])} for row in rows]
    return [f"the least time of a step, at each chip's peak rate in {dtype}:", *table(rows, columns)]


def _duration(seconds: float) -> str:
    if seconds >= 6000:
        return f"{seconds / 3600:,.1f} h"
    if seconds >= 100:
        return f"{seconds / 60:,.1f} min"
    return f"{seconds:,.1f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
