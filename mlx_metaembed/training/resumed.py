"""What a resumed run goes on with: the settings that it was begun with, and its newest checkpoint."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

from mlx_metaembed.errors import CallError
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.long_form import long_form
from mlx_metaembed.recipe.short_form import own_heads, short_form
from mlx_metaembed.recipe.tables import TABLES
from mlx_metaembed.training import checkpoint, claim, defaults, head_tables
from mlx_metaembed.training.plan.choices import CHANGED

FREE_ON_RESUME = {
    "out",
    "engine",
    "memory",
    "save_every",
    "save_total_limit",
    "steps_per_report",
    "chunk_tokens",
    "checkpointing",
    "early_stopping",
    "allow_leak",
    "report_to",
}
"""Settings that may differ when a run is resumed: they do not change the weights beyond the engines' tolerance.

`early_stopping` changes how many steps there are, and no step.
"""


def settings(recipe: Recipe, out: Path) -> Recipe:
    """The recipe, with what the run in its folder had decided. Raises CallError for settings that would change it."""
    before = Recipe(**claim.settings(out))
    if recipe.dtype == "auto":
        recipe = replace(recipe, dtype=before.dtype)
    left_open = [name for name in defaults.LEFT_OPEN if getattr(recipe, name) is None]
    recipe = replace(recipe, **{name: getattr(before, name) for name in left_open})
    if recipe.fit == "auto":
        recipe = replace(recipe, fit="off", **{name: getattr(before, name) for name in CHANGED})
    recipe = _with_labels(recipe, before)
    if wrong := _changed(recipe, before):
        raise CallError(
            f"--resume continues the run as it was begun; {', '.join(wrong)} would change it. "
            f"May change: {', '.join(sorted(_free(before) - {'out'}))}"
        )
    return replace(before, **{name: getattr(recipe, name) for name in _free(before)})


def _with_labels(recipe: Recipe, before: Recipe) -> Recipe:
    """The recipe, whose heads for classes have the labels that the run had found in its data where it gives none."""
    tables, lacking = long_form(recipe).heads, head_tables.lacking_labels(long_form(recipe))
    if not lacking:
        return recipe
    begun = {table.name: table for table in before.heads}
    heads = tuple(begun.get(table.name, table) if table.name in lacking else table for table in tables)
    return replace(recipe, heads=heads, dense=None, fsq="")


def _free(before: Recipe) -> set[str]:
    """Settings that may differ from those that a run was begun with."""
    # Dropout is drawn chunk by chunk: other chunks would draw other units.
    return FREE_ON_RESUME - ({"chunk_tokens", "memory"} if before.dropout else set())


def _changed(recipe: Recipe, before: Recipe) -> dict[str, tuple[object, object]]:
    """The settings that would change a run, and are not those that it was begun with: both values by name.

    The same as tables and in the short form is no change.
    """
    own = own_heads(long_form(before))
    now, then = (long_form(each, own) for each in (recipe, before))
    if any(getattr(now, name) != getattr(then, name) for name, _ in TABLES.values()):
        # People know the short form's words where they wrote those.
        now, then = (short_form(each, own) for each in (now, then))
    tables = {name: f"[[{kind}]]" for kind, (name, _) in TABLES.items()}
    pairs = {field.name: (getattr(now, field.name), getattr(then, field.name)) for field in fields(Recipe)}
    return {
        tables.get(name, name): pair for name, pair in pairs.items() if name not in _free(before) and pair[0] != pair[1]
    }


def start(out: Path, note: Callable[[str], None]) -> Path | None:
    """The checkpoint that a run goes on from. Raises CallError where it is damaged, or trained with other settings."""
    run = claim.read(out)["run"]
    newest = checkpoint.newest(out, run)
    if others := [path.name for path in checkpoint.strangers(out, run)]:
        note(f"{', '.join(others)} in {out}: not written by this run, and left as it is")
    if newest:
        asked, trained = Recipe(**claim.settings(out)), Recipe(**claim.settings(newest))
        if wrong := _changed(asked, trained):
            shown = ", ".join(f"{name} = {now!r} ({then!r} there)" for name, (now, then) in wrong.items())
            changed = f"{out / claim.SETTINGS} was changed since {newest.name} was written: {shown}."
            raise CallError(changed + claim.kept_settings(out))
    return newest
