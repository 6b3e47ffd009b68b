"""What is wrong with a recipe: each field by itself, and fields that mean nothing beside another."""

import math
import typing
from collections.abc import Iterator
from dataclasses import fields

from mlx_metaembed.data.columns import parse as parse_columns
from mlx_metaembed.errors import CallError, nearest
from mlx_metaembed.files.sizes import parse_size
from mlx_metaembed.folder.quantized import BITS, GROUP_SIZES
from mlx_metaembed.heads import parse_levels
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.recipe import table_checks
from mlx_metaembed.recipe.tables import SHORT_FORM, TABLES
from mlx_metaembed.recipe.values import as_toml, fits, type_name

if typing.TYPE_CHECKING:
    from mlx_metaembed.recipe.settings import Recipe

LARGEST = 2**31 - 1
"""No whole number of a recipe is larger, but for a seed: sizes and counts are int32 for the engines."""
LARGEST_SEED = 2**63 - 1
TRUNK = ("full", "lora", "dora")
TRACKERS = ("tensorboard", "wandb")
TAUGHT = tuple(name for name, loss in LOSSES.items() if "teacher.*" in loss.targets)
"""The losses that take teachers' vectors."""
GUIDED = ("gist",)


def is_short(loss: type) -> bool:
    """Whether a loss is for what the short form trains: the vectors, or the head for classes."""
    return not loss.several and bool({"vector", "scores"} & set(loss.accepts))


def of_losses(setting: str) -> tuple[str, ...]:
    """The losses of the short form that have a setting."""
    return tuple(name for name, loss in LOSSES.items() if is_short(loss) and setting in loss.__dataclass_fields__)


BELONGS = {
    **{name: ("loss", of_losses(name)) for name in SHORT_FORM["objectives"] if of_losses(name)},
    "guide": ("loss", GUIDED),
    "teacher": ("loss", TAUGHT),
    **dict.fromkeys(("lora_rank", "lora_alpha"), ("train", ("lora", "dora"))),
    **dict.fromkeys(("num_layers", "target_modules", "dropout"), ("train", TRUNK)),
    **dict.fromkeys(("checkpointing", "grad_cache"), ("train", TRUNK)),
    "freeze_embeddings": ("train", ("full",)),
    "average_with_base": ("train", ("full", "lora")),
    "quantization_aware": ("train", ("full",)),
    "quantization_group_size": ("quantization_aware", ()),
    "distill_from_base": ("train", TRUNK),
    "weighting_learning_rate": ("weighting", ("uncertainty",)),
    "matryoshka_weights": ("matryoshka", ()),
    **dict.fromkeys(
        ("mine_negatives", "mine_margin", "mine_range_min", "mine_range_max", "mine_sampling"), ("mine_every", ())
    ),
    **dict.fromkeys(("eval_columns", "eval_steps", "metric", "early_stopping", "allow_leak"), ("eval_data", ())),
}
"""Settings that mean something only beside another one: its name, and the values of it, or any that is set.

`fsq_weight` and `head_learning_rate` depend on the model as well (see training/model_parts.py).
"""


def invalid(recipe: "Recipe") -> Iterator[str]:
    """Every fault of a recipe, one sentence each; values are checked only where all types are right."""
    hints = typing.get_type_hints(type(recipe))
    typed = True
    for each in fields(recipe):
        value, hint = getattr(recipe, each.name), hints[each.name]
        most = LARGEST_SEED if each.name == "seed" else LARGEST
        if not fits(value, hint):
            typed = False
            yield f"{each.name} = {value!r}: expected {type_name(hint)}"
        elif isinstance(value, float) and not math.isfinite(value):
            yield f"{each.name} = {value!r}: expected a finite number"
        elif any(isinstance(number, int) and abs(number) > most for number in (value, *_items(value))):
            typed = False
            yield f"{each.name}: expected numbers up to {most:,}"
        elif value not in (choices := each.metadata["choices"]) and choices:
            yield f"{each.name} = {value!r}: expected one of {', '.join(choices)}{nearest(value, choices)}"
    if not typed:
        return
    for name in (
        "lora_rank",
        "num_layers",
        "dense",
        "batch_size",
        "epochs",
        "iters",
        "max_seq_length",
        "grad_accumulation_steps",
        "chunk_tokens",
        "save_every",
        "save_total_limit",
        "steps_per_report",
        "eval_steps",
        "early_stopping",
        "max_characters",
        "mine_every",
        "mine_negatives",
    ):
        value = getattr(recipe, name)
        if value is not None and value < 1:
            yield f"{name} = {value}: expected 1 or more"
    for name in recipe.losses if recipe.batch_size is not None else ():
        least = getattr(LOSSES.get(name), "least_rows", 1)
        if recipe.batch_size < least:
            yield f"batch_size = {recipe.batch_size}: {name} compares the rows of a batch; expected {least} or more"
    for name in ("temperature", "learning_rate", "head_learning_rate", "weighting_learning_rate", "lora_alpha"):
        value = getattr(recipe, name)
        if value is not None and not value > 0:
            yield f"{name} = {value}: expected more than 0"
    for name in ("warmup_ratio", "dropout", "average_with_base"):
        if not 0 <= getattr(recipe, name) < 1:
            yield f"{name} = {getattr(recipe, name)}: expected 0 or more, less than 1"
    least_0 = ("weight_decay", "max_grad_norm", "fsq_weight", "seed", "false_negative_ratio", "mine_range_min")
    for name in (*least_0, "distill_from_base"):
        if (getattr(recipe, name) or 0) < 0:
            yield f"{name} = {getattr(recipe, name)}: expected 0 or more"
    yield from _needs_tables(recipe)
    if not -1 <= recipe.mine_margin <= 1:
        yield f"mine_margin = {recipe.mine_margin:g}: expected a share of the positive's score, or -1 for no margin"
    ranks = None if recipe.mine_range_max is None else recipe.mine_range_max - recipe.mine_range_min
    if ranks is not None and ranks < recipe.mine_negatives:
        yield (
            f"mine_range_min = {recipe.mine_range_min} and mine_range_max = {recipe.mine_range_max} leave "
            f"{max(ranks, 0)} ranks for {recipe.mine_negatives} negatives; expected as many or more"
        )
    yield from _foreign(recipe)
    yield from _both_forms(recipe)
    yield from table_checks.invalid(recipe)
    for name, known in (("quantization_aware", BITS), ("quantization_group_size", GROUP_SIZES)):
        if (value := getattr(recipe, name)) is not None and value not in known:
            yield f"{name} = {value}: MLX has {', '.join(map(str, known))}"
    if recipe.quantization_aware and recipe.average_with_base:
        yield "quantization_aware and average_with_base: the mean with the base lies on no grid; leave one of them out"
    if recipe.checkpointing == "on" and recipe.dropout:
        yield "checkpointing = 'on' computes layers twice, and dropout would draw other units then; set dropout = 0"
    if any(width < 1 for width in recipe.matryoshka):
        yield f"matryoshka = {list(recipe.matryoshka)}: expected widths of 1 or more"
    weights = recipe.matryoshka_weights
    if (
        weights
        and recipe.matryoshka
        and (len(weights) != len(recipe.matryoshka) or not all(weight >= 0 for weight in weights))
    ):
        yield (
            f"matryoshka_weights = {list(weights)}: expected a number of 0 or more for each of the "
            f"{len(recipe.matryoshka)} widths"
        )
    for name in recipe.report_to:
        if name not in TRACKERS:
            yield f"report_to = {name!r}: expected {' or '.join(TRACKERS)}{nearest(name, TRACKERS)}"
    parsers = {"fsq": parse_levels, "memory": parse_size, "columns": parse_columns, "eval_columns": parse_columns}
    for name, parse in parsers.items():
        try:
            if getattr(recipe, name):
                parse(getattr(recipe, name))
        except CallError as error:
            yield str(error)


def _items(value: object) -> tuple:
    return value if isinstance(value, tuple) else ()


def _both_forms(recipe: "Recipe") -> Iterator[str]:
    """Settings of the short form beside the tables that say the same."""
    defaults = {each.name: each.default for each in fields(recipe)}
    for table, (name, _) in TABLES.items():
        if getattr(recipe, name):
            given = [each for each in SHORT_FORM.get(name, ()) if getattr(recipe, each) != defaults[each]]
            yield from (f"{each} is the short form of what the tables [[{table}]] say; put it there" for each in given)


def _needs_tables(recipe: "Recipe") -> Iterator[str]:
    """Why a loss can't be one of the short form: its heads are others than that adds, or that adds others."""
    loss = LOSSES.get(recipe.loss)
    if not recipe.objectives and loss and not is_short(loss):
        kinds = (" and " if loss.several else " or ").join(loss.accepts)
        yield (
            f"loss = {recipe.loss!r} is for heads that give {kinds}, which the short form does not add; name them in "
            "an [[objective]], as examples/recipes does"
        )
    if recipe.fsq and not recipe.objectives and loss and is_short(loss) and "code" not in loss.accepts:
        yield (
            f"fsq = {recipe.fsq!r} adds a code head, which {recipe.loss} would not train: it takes "
            f"{' or '.join(loss.accepts)}. Leave it out, or give the head an [[objective]] of its own"
        )


def _foreign(recipe: "Recipe") -> Iterator[str]:
    """Settings that would be ignored, since they belong to another loss or to what does not train."""
    defaults = {each.name: each.default for each in fields(recipe)}
    for name, (owner, values) in BELONGS.items():
        value, beside = getattr(recipe, name), getattr(recipe, owner)
        # What is off does nothing anyway.
        if value in (defaults[name], "off") or (beside in values if values else beside):
            continue
        if values:
            chosen = " or ".join(repr(each) for each in values)
            yield f"{name} = {as_toml(value)} belongs to {owner} = {chosen}, and here {owner} is {beside!r}"
        else:
            yield f"{name} = {as_toml(value)} belongs to {owner}, which is not set"
