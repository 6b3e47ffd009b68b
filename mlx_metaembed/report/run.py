"""The page of a run's folder, from what the run left there: recipe, metrics, result, and evaluations made since."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mlx_metaembed.cards.products import product
from mlx_metaembed.errors import CallError, MetaembedError
from mlx_metaembed.files import disk
from mlx_metaembed.folder import SIDE
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe import read as read_recipe
from mlx_metaembed.recipe.long_form import code_heads, long_form, named_widths
from mlx_metaembed.report import units
from mlx_metaembed.report.html import write
from mlx_metaembed.training import metrics

PAGE = "report.html"
RESULT, EVALUATIONS = "result.json", "evaluations.json"
"""Beside the recipe: what training ended with, and what was measured since."""
TRAINED = {"full": "every parameter", "lora": "a LoRA adapter", "dora": "a DoRA adapter", "heads": "heads alone"}


def of_run(run: str | Path, *, out: str | Path | None = None) -> Path:
    """Write the page of the run in a folder, into it or to `out`; the path of the page.

    Raises CallError where the folder holds no run, JobError where the page can't be written.
    """
    run = Path(run)
    require_run(run)
    rows = _objects(metrics.read(metrics.path_in(run))) or []
    recipe = long_form(Recipe(**read_recipe(run / SIDE / "recipe.toml")))
    result = disk.optional_json(run / SIDE / RESULT)
    count = units.finite(result.get("rows"))
    data = recipe.data_name + (f" ({count:,.0f} rows)" if count else "")
    lede = f"{_model(recipe)}, fine-tuned on {data}"
    step, steps = (units.finite(rows[-1].get(name)) if rows else None for name in ("step", "steps"))
    if step and steps and step < steps:
        lede += f": at step {step:,.0f} of {steps:,.0f}"
    return write(
        out or run / PAGE,
        title=run.absolute().name,
        lede=lede,
        hint=f"metaembed report {shlex.quote(str(run))} --eval held-out.jsonl",
        metrics=rows,
        facts=_facts(recipe, result, rows),
        evaluations=evaluations(run),
        eval_data=Path(recipe.eval_data).name,
        objectives={table.called: table.data for table in recipe.objectives},
    )


def require_run(run: Path) -> None:
    """Raise CallError where a folder holds no run."""
    if not run.is_dir():
        raise CallError(f"There is no folder {run}; expected the folder that `metaembed train --out` wrote")
    if not (run / SIDE / "recipe.toml").is_file():
        raise CallError(
            f"{run} holds no run: it has no {SIDE}/recipe.toml; expected what `metaembed train --out` wrote"
        )


def evaluations(run: Path) -> list[dict]:
    """What was measured of a run, by data, see `evaluate.compared`; what has another form is left out."""
    found = disk.optional_json(run / SIDE / EVALUATIONS).get("evaluations")
    return [each for each in _objects(found) or () if _fits(each)]


def _fits(each: dict) -> bool:
    """Whether an entry has the form of an evaluation."""
    answers = _objects(each.get("answers"))
    if not isinstance(each.get("data"), str) or _objects(each.get("rows")) is None or answers is None:
        return False
    return all(_objects(answer.get(side, [])) is not None for answer in answers for side in ("before", "after"))


def _objects(value: object) -> list[dict] | None:
    """A list of JSON objects as it is; None for anything else."""
    return value if isinstance(value, list) and all(isinstance(each, dict) for each in value) else None


def keep(run: Path, found: Sequence[Mapping[str, object]]) -> None:
    """Keep evaluations with the run; one of the same data by the same task is replaced."""
    fresh = {(each["data"], task) for each in found for task in (each.get("task"), None)}
    kept = [each for each in evaluations(run) if (each.get("data"), each.get("task")) not in fresh]
    with disk.replacing_file(run / SIDE / EVALUATIONS) as partial:
        disk.write_json(partial, {"evaluations": [*kept, *found]})


def of_result(run: Path, result: Mapping[str, object], note: Callable[[str], None]) -> Path | None:
    """Keep what training ended with, and write the page; None, and a note, where that can't be done."""
    try:
        with disk.replacing_file(run / SIDE / RESULT) as partial:
            disk.write_json(partial, dict(result))
        return of_run(run)
    except (MetaembedError, OSError) as error:
        note(f"The run is whole, but its page is not: {error}")
        return None


def _model(recipe: Recipe) -> str:
    """The base as people call it: a folder by its name."""
    return Path(recipe.model).absolute().name if Path(recipe.model).expanduser().is_dir() else recipe.model


def _best(result: Mapping[str, object]) -> str | None:
    """The step that the model is from, with what it was the best by; None where nothing was measured."""
    step, value = units.finite(result.get("best_step")), units.finite(result.get("best_metric"))
    if step is None or value is None:
        return None
    early = ", stopped early" if result.get("stopped_early") is True else ""
    return f"{step:,.0f} ({units.label(str(result.get('metric')))} {units.quality(value)}){early}"


def _facts(recipe: Recipe, result: Mapping[str, object], rows: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """The run in facts: what was trained, on what, how, and what it held."""
    last = rows[-1] if rows else {}
    trained = TRAINED.get(recipe.train, recipe.train)
    if recipe.train in ("lora", "dora"):
        trained += f" of rank {recipe.lora_rank}"
    found: dict[str, object] = {"base model": _model(recipe), "data": recipe.data_name}
    found |= {"rows": result.get("rows"), "trained": trained, "loss": ", ".join(map(product, recipe.losses))}
    found["widths"] = ", ".join(map(str, named_widths(recipe))) or None
    found["code head"] = ", ".join(code_heads(recipe).values()) or None
    found |= {"batch size": recipe.batch_size, "learning_rate": recipe.learning_rate}
    found |= {"optimizer": product(recipe.optimizer), "steps": last.get("steps"), "epochs": last.get("epoch")}
    found["best step"] = _best(result)
    found |= {"longest text": f"{recipe.max_seq_length} tokens" if recipe.max_seq_length else None}
    engine = product(str(result["engine"])) if result.get("engine") else None
    found["engine"] = f"{engine} on {product(str(result.get('device')))}" if engine else None
    found |= {"arithmetic": result.get("dtype"), "training_s": last.get("elapsed_s"), "padding": last.get("padding")}
    found["peak_memory_bytes"] = result.get("peak_memory_bytes") or last.get("peak_memory_bytes")
    found["planned_memory_bytes"] = last.get("planned_memory_bytes")
    found["memory_budget_bytes"] = recipe.memory_bytes
    return {name: value for name, value in found.items() if value is not None}
