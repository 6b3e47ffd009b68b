"""What a recipe names, read and checked: the model, the rows, what they are measured on. No device is asked for."""

from dataclasses import dataclass, replace
from pathlib import Path

from mlx_metaembed import folder as folders
from mlx_metaembed.data.rows import Rows
from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import ModelFolder, locate
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.long_form import long_form
from mlx_metaembed.training import (
    averaging,
    batch_samplers,
    best,
    claim,
    evaluation,
    head_tables,
    mined_negatives,
    model_parts,
    objective_tables,
    resumed,
    teachers,
    trackers,
)
from mlx_metaembed.training import rows as run_rows
from mlx_metaembed.training.call import Call
from mlx_metaembed.training.evaluation import Evaluation
from mlx_metaembed.training.model_parts import PostTrunk
from mlx_metaembed.training.objective import Objective


@dataclass(frozen=True)
class ReadRecipe:
    """What a run is made of: `given` is the recipe as it came, `long` the same as tables."""

    given: Recipe
    long: Recipe
    start: Path | None
    source: ModelFolder
    tokenizer: Tokenizer
    behind: PostTrunk
    folder: ModelFolder
    objectives: tuple[Objective, ...]
    rows: dict[str, Rows]
    samplers: dict[str, str]
    mined: list[str]
    """The data sets whose negatives are mined while the run goes."""
    evaluation: Evaluation | None

    @property
    def count(self) -> int:
        return sum(map(len, self.rows.values()))


def read_recipe(recipe: Recipe, call: Call) -> ReadRecipe:
    """What a recipe names. Raises CallError where it does not fit, or its folder is not free."""
    given = call.given
    recipe = _checked(replace(recipe, sources=given.with_sources(recipe)), call)
    start = resumed.start(Path(recipe.out), call.note) if call.resume else None
    source = folders.read(start or locate.resolve(recipe.model))
    if source.head:
        raise CallError(
            f"{source.path} gives no vector a text, its modules end in the head {source.head!r}, and training is for "
            "one vector a text. Such a vector is what a folder without modules.json gives, by the mean over its tokens"
        )
    tokenizer = Tokenizer(source, recipe.max_seq_length)
    model_parts.trained(recipe, source)
    long = long_form(recipe, head_tables.codes(source))
    behind, objectives = objective_tables.read(recipe, source, given.known_losses())
    averaging.require(recipe, behind)
    rows = run_rows.read(long, objectives, call.note, given.rows)
    recipe, behind = model_parts.with_labels(recipe, behind, rows)
    folder = behind.folder
    if recipe.max_seq_length:
        # What a model was trained with is what its folder declares.
        folder = replace(folder, max_seq_length=recipe.max_seq_length, query_length=None, document_length=None)
    rows = head_tables.as_numbered(rows, objectives, behind.heads)
    widths = {name: objective_tables.what(name, behind)[1] for each in objectives for name in each.names}
    rows = teachers.attached(rows, long, objectives, widths, call.note)
    samplers = batch_samplers.chosen(recipe, objectives, rows)
    mined = mined_negatives.names(recipe, objectives, behind.heads)
    trackers.require(recipe)
    measured_on = evaluation.read(long, list(rows.values()), folder, behind.heads, tokenizer, call.note)
    if start:
        best.require_same(start, measured_on)
    made = (behind, folder, objectives, rows, samplers, mined, measured_on)
    return ReadRecipe(recipe, long, start, source, tokenizer, *made)


def _checked(recipe: Recipe, call: Call) -> Recipe:
    """The recipe, whose folder must be free, or resumed hold an unfinished run of the same settings."""
    for name in ("model", "data", "out"):
        if not getattr(recipe, name) and not (name == "data" and recipe.sources):
            raise CallError(f'The recipe has no {name}; give --{name}, or {name} = "..." in the TOML file')
    out = Path(recipe.out)
    if call.resume:
        return resumed.settings(recipe, out)
    if call.leads:
        claim.require_free(out, call.lock)
    return recipe
