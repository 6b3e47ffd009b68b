"""The README of a run's folder: what was trained from what, on what and how, and how the result is loaded."""

from dataclasses import fields, replace
from pathlib import Path

from mlx_metaembed.cards import card
from mlx_metaembed.cards.products import product
from mlx_metaembed.cards.usage import WHAT, usage
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.recipe import Recipe, as_toml
from mlx_metaembed.recipe.long_form import code_heads, named_widths
from mlx_metaembed.recipe.short_form import own_heads, short_form
from mlx_metaembed.recipe.tables import TABLES, written
from mlx_metaembed.training.breakdown import loss_ends
from mlx_metaembed.training.evaluation import PREFIX

PLACES = ("model", "data", "eval_data", "out")
"""Settings that say where something lay: the card has their names alone."""
WAYS = {
    "full": "every parameter",
    "lora": "a LoRA adapter of rank {lora_rank}, alpha {lora_alpha:g}",
    "dora": "a DoRA adapter of rank {lora_rank}, alpha {lora_alpha:g}",
    "heads": "what stands behind the trunk",
}


def readme(
    folder: ModelFolder,
    source: ModelFolder,
    recipe: Recipe,
    *,
    rows: int,
    base: str | None,
    metrics: list[dict],
    engine: str = "",
) -> str:
    """The text. `folder` is what the run gives, `source` where its licence stands: the base or an earlier checkpoint;
    `recipe` is as tables.

    `base` is an adapter's own base as its files name it, None for a whole model; `rows` those of the data.
    """
    name = Path(recipe.out).absolute().name
    hub = card.base_model(recipe.model, source.path)
    called = _called(recipe, hub)
    size = f"{rows:,} row{'s' if rows != 1 else ''}"
    said = (
        f"{called}, fine-tuned on {recipe.data_name} ({size}) with mlx-metaembed. It maps texts to {WHAT[folder.head]}."
    )
    body = [said, usage(folder, name, base=base), "## Training", _table(recipe, called, size, metrics, engine)]
    short = short_form(recipe, own_heads(recipe))
    body += [f"```toml\n{_settings(short)}\n```", "## The vectors"]
    return card.card(folder, title=name, body="\n\n".join(body), base=hub, carried=card.inherited(source.trunk_path))


def _called(recipe: Recipe, hub: str | None) -> str:
    """How people call the base."""
    if hub:
        return f"[{hub}](https://huggingface.co/{hub})"
    if Path(recipe.model).expanduser().is_dir():
        return f"`{Path(recipe.model).absolute().name}`"
    return f"`{recipe.model}`"


def _table(recipe: Recipe, called: str, size: str, metrics: list[dict], engine: str) -> str:
    rows: dict[str, object] = {"Base model": called, "Data": f"{recipe.data_name}, {size}"}
    rows["Trained"] = WAYS[recipe.train].format(lora_rank=recipe.lora_rank, lora_alpha=recipe.lora_alpha)
    if bits := recipe.quantization_aware:
        rows["Linear layers"] = f"on grids of {bits} bits in groups of {recipe.quantization_group_size}"
    if share := recipe.average_with_base:
        rows["Averaged"] = f"{1 - share:g} of what was trained and {share:g} of the base model"
    rows["Loss"] = ", ".join(map(product, recipe.losses))
    if widths := named_widths(recipe):
        rows["Widths"] = ", ".join(map(str, widths))
    if codes := code_heads(recipe):
        rows["Code head"] = "; ".join(f"`{name}`, {found}" for name, found in codes.items())
    if metrics:
        last = metrics[-1]
        rows["Steps"] = f"{last['step']:,} of {last['steps']:,}"
    if found := loss_ends(metrics):
        rows["Loss"] = f"{rows['Loss']}, {found[0]:.4g} in the first tenth of the steps, {found[1]:.4g} in the last"
    if recipe.eval_data:
        rows |= _measured(recipe, metrics)
    if engine:
        rows["Engine"] = product(engine)
    return card.table(rows)


def _measured(recipe: Recipe, metrics: list[dict]) -> dict[str, str]:
    """What was measured last of all, beside the base model; nothing where nothing was."""
    measured = [row for row in metrics if any(name.startswith(PREFIX) for name in row)]
    if len(measured) < 2:
        return {}
    base, last = measured[0], measured[-1]
    name = next(name for name in last if name.startswith(PREFIX))
    said = f"{last[name]:.4f} at step {last['step']:,}, {base[name]:.4f} before training"
    return {f"{name.removeprefix(PREFIX)} on {Path(recipe.eval_data).name}": said}


def _settings(recipe: Recipe) -> str:
    """What was set otherwise than the defaults, and the names of model and data, as a recipe."""
    lines = []
    for each in fields(Recipe):
        value = getattr(recipe, each.name)
        if each.metadata.get("table") or (each.name == "data" and recipe.sources):
            continue
        if each.name in PLACES and value:
            value = Path(value).name if Path(value).expanduser().exists() else value
        if each.name != "out" and value is not None and (value != each.default or each.name in ("model", "data")):
            lines.append(f"{each.name} = {as_toml(value)}")
    tables = [(kind, table) for kind, (name, _) in TABLES.items() for table in getattr(recipe, name)]
    named = [
        (kind, replace(table, path=Path(table.path).name) if hasattr(table, "path") else table)
        for kind, table in tables
    ]
    return "\n".join([*lines, *(f"\n{written(kind, table)}".rstrip() for kind, table in named)])
