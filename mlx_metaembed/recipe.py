"""A run's settings: one frozen dataclass. Its fields are the TOML keys and the options of `metaembed train`.

Defaults stand here and nowhere else. Names are sentence-transformers' and mlx-lm's where they have one.
"""

import json
import math
import tomllib
import types
import typing
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from mlx_metaembed import disk
from mlx_metaembed.data.columns import parse as parse_columns
from mlx_metaembed.data.columns import written
from mlx_metaembed.errors import CallError, faults, nearest
from mlx_metaembed.heads import parse_levels
from mlx_metaembed.sizes import parse_size

LARGEST = 2**31 - 1
"""No whole number of a recipe is larger: seeds, sizes and counts are int32 for the engines."""
MOST_BYTES = 1 << 20
"""Bytes of a recipe."""
TRUNK = ("full", "lora", "dora")
BELONGS = {
    **dict.fromkeys(
        ("temperature", "symmetric", "false_negative_margin", "false_negative_ratio"), ("loss", ("info_nce",))
    ),
    **dict.fromkeys(("distance", "margin", "soft_margin"), ("loss", ("triplet",))),
    **dict.fromkeys(("lora_rank", "lora_alpha"), ("train", ("lora", "dora"))),
    **dict.fromkeys(("num_layers", "target_modules", "dropout"), ("train", TRUNK)),
    **dict.fromkeys(("checkpointing", "grad_cache"), ("train", TRUNK)),
    "freeze_embeddings": ("train", ("full",)),
    "matryoshka_weights": ("matryoshka", ()),
}
"""Settings that mean something only beside another one: its name, and the values of it, or any that is set.

`fsq_weight` and `head_learning_rate` depend on the model as well (see train/learning.py).
"""


def setting(default: object, text: str, choices: tuple[str, ...] = ()) -> typing.Any:
    """A field with the line of help that its option shows, and the words it accepts."""
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, how. Sizes are texts and tokens, rates a step, `memory` a size like 8GB."""

    model: str = setting("", "Model to start from: a folder, a hub id, or an encoder installed from PyPI.")
    data: str = setting(
        "", "Pairs or triplets: .jsonl, .csv, .parquet, a BEIR folder, SQLite, a tree of Python source."
    )
    columns: str = setting("", "What the data calls its columns: anchor=title,positive=source. A table in TOML.")
    no_header: bool = setting(False, "A .csv or .tsv has no header: its columns are told by position.")
    out: str = setting("", "Folder that the run writes: checkpoints, then the model.")
    train: str = setting(
        "full", "What trains: every parameter, an adapter, or heads alone.", ("full", "lora", "dora", "heads")
    )
    lora_rank: int = setting(8, "Adapter: rank of the change of a layer.")
    lora_alpha: float = setting(16.0, "Adapter: its change is multiplied by alpha / rank.")
    num_layers: int | None = setting(None, "Train the last so many layers only. Default: all.")
    target_modules: tuple[str, ...] = setting((), "Train these modules only, like query,value or encoder.layer.11.")
    freeze_embeddings: bool = setting(False, "Leave the embeddings as they are.")
    checkpointing: str = setting(
        "auto",
        "Layers keep their inputs alone, and compute the rest twice: less memory, a third more time. auto: where the "
        "budget leaves no useful chunk without it.",
        ("auto", "on", "off"),
    )
    loss: str = setting("info_nce", "Loss on the vectors.", ("info_nce", "triplet"))
    temperature: float = setting(0.05, "InfoNCE: cosines are divided by it.")
    symmetric: bool = setting(False, "InfoNCE: also from positive to anchor.")
    false_negative_margin: float | None = setting(
        None, "InfoNCE: leave out candidates whose cosine exceeds the positive's by more than this."
    )
    false_negative_ratio: float | None = setting(
        None, "InfoNCE: leave out candidates whose cosine is over this share of the positive's, like 0.95."
    )
    distance: str = setting("cosine", "Triplet: distance.", ("cosine", "euclidean"))
    margin: float = setting(0.2, "Triplet: margin, in units of the distance.")
    soft_margin: bool = setting(False, "Triplet: softplus instead of the hinge.")
    matryoshka: tuple[int, ...] = setting((), "Widths that are trained together, like 384,192,96.")
    matryoshka_weights: tuple[float, ...] = setting((), "Weight of each width's loss. Default: 1 each.")
    dense: int | None = setting(None, "Add a Dense module of so many features behind the pooling.")
    fsq: str = setting("", "Train a code head too: levels like 4x64 (64 digits of 4 levels) or 8,8,8,5.")
    fsq_weight: float = setting(1.0, "Weight of the code head's loss.")
    batch_size: int | None = setting(
        None,
        "Rows a batch: how many negatives each row sees; its texts need not fit into memory together. "
        "Default: 32 to 64, by the number of rows.",
    )
    epochs: int | None = setting(None, "Passes over the data. Default: 1 to 3, by the number of steps in one.")
    iters: int | None = setting(None, "Steps, instead of epochs.")
    max_seq_length: int | None = setting(None, "Tokens a text; longer ones are cut. Default: what the model declares.")
    optimizer: str = setting(
        "adamw", "AdamW, AdamW with 8-bit moments, or Adafactor.", ("adamw", "adamw_8bit", "adafactor")
    )
    learning_rate: float | None = setting(
        None, "Peak learning rate of the trunk. Default: by what trains; an adapter takes ten times the rate."
    )
    head_learning_rate: float = setting(1e-3, "Peak learning rate of heads and of a Dense module that is added.")
    lr_schedule: str = setting("linear", "Decay after the warm-up.", ("linear", "cosine", "constant"))
    warmup_ratio: float = setting(0.1, "Share of the steps over which the learning rate rises.")
    weight_decay: float = setting(0.01, "Decay of matrices; biases and norms have none.")
    max_grad_norm: float = setting(1.0, "Gradients are scaled down to this length; 0 turns it off.")
    grad_accumulation_steps: int = setting(1, "Batches whose gradients are averaged before an update.")
    dropout: float = setting(0.0, "Dropout of hidden states.")
    dtype: str = setting(
        "auto", "Arithmetic of the trunk; masters and losses are float32.", ("auto", "float32", "float16", "bfloat16")
    )
    memory: str = setting("8GB", "Budget: picks how many tokens are held at once; the run stops rather than exceed it.")
    fit: str = setting(
        "off",
        "What trains, where it does not fit: auto takes the first settings of `metaembed plan` that do, and says so.",
        ("auto", "off"),
    )
    grad_cache: str = setting("auto", "Embed twice, hold one chunk (arXiv:2101.06983).", ("auto", "on", "off"))
    chunk_tokens: int | None = setting(None, "Tokens a chunk. Default: from the memory budget.")
    save_every: int = setting(200, "Steps between checkpoints.")
    save_total_limit: int = setting(2, "Checkpoints kept; older ones go when a newer one is whole.")
    steps_per_report: int = setting(1, "Steps between rows of metrics.jsonl.")
    max_characters: int = setting(100_000, "A text this long is an error, since the model reads its start only.")
    seed: int = setting(0, "Seed of the data order, dropout and new heads.")
    engine: str = setting("auto", "Which engine computes.", ("auto", "mlx", "torch"))

    def __post_init__(self) -> None:
        wrong = list(_wrong(self))
        if wrong:
            raise faults("The recipe is wrong:", wrong)

    @property
    def fsq_levels(self) -> tuple[int, ...]:
        return parse_levels(self.fsq) if self.fsq else ()

    @property
    def memory_bytes(self) -> int:
        return parse_size(self.memory)


def changed(recipe: Recipe, **settings: object) -> Recipe:
    """The recipe with other settings; those that mean nothing beside them go back to their defaults."""
    names = [
        name
        for name, (owner, values) in BELONGS.items()
        if owner in settings and name not in settings and settings[owner] not in values
    ]
    return replace(recipe, **settings, **{name: default(name) for name in names})


def default(name: str) -> typing.Any:
    """What a setting is where nothing else is said."""
    return Recipe.__dataclass_fields__[name].default


def read(path: str | Path) -> dict:
    """The settings of a TOML recipe, checked against the fields; every unknown key and wrong type is named."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise CallError(f"The recipe {path} has more than {MOST_BYTES:,} bytes")
        found = tomllib.loads(text.decode("utf-8"))
    except FileNotFoundError:
        raise CallError(f"There is no recipe {path}") from None
    except OSError as error:
        raise CallError(f"The recipe {path} can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CallError(f"{path} is not TOML: {error}") from None
    known = {setting.name for setting in fields(Recipe)}
    unknown = [f"unknown key {key!r}{nearest(key, known)}" for key in found if key not in known]
    if unknown:
        raise faults(f"{path}:", unknown, f"Known keys: {', '.join(sorted(known))}")
    if isinstance(columns := found.get("columns"), dict):
        if wrong := [
            f"columns.{name} = {source!r}: expected a text"
            for name, source in columns.items()
            if not isinstance(source, str)
        ]:
            raise faults(f"{path}:", wrong)
        found["columns"] = written(columns)
    return {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}


def write(recipe: Recipe, path: Path) -> None:
    """Write a recipe as TOML, one line a field; a field that is None is left out."""
    lines = []
    for each in fields(Recipe):
        value = getattr(recipe, each.name)
        if value is not None:
            lines.append(f"{each.name} = {toml(value)}")
    with disk.replacing_file(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


def toml(value: object) -> str:
    """A setting's value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for one character.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return repr(value)


def _wrong(recipe: Recipe) -> typing.Iterator[str]:
    hints = typing.get_type_hints(Recipe)
    typed = True
    for each in fields(Recipe):
        value, hint = getattr(recipe, each.name), hints[each.name]
        if not _fits(value, hint):
            typed = False
            yield f"{each.name} = {value!r}: expected {_words(hint)}"
        elif isinstance(value, float) and not math.isfinite(value):
            yield f"{each.name} = {value!r}: expected a finite number"
        elif any(isinstance(number, int) and abs(number) > LARGEST for number in (value, *_items(value))):
            typed = False
            yield f"{each.name}: expected numbers up to {LARGEST:,}"
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
        "max_characters",
    ):
        value = getattr(recipe, name)
        if value is not None and value < 1:
            yield f"{name} = {value}: expected 1 or more"
    if recipe.batch_size == 1 and recipe.loss == "info_nce":
        yield "batch_size = 1: InfoNCE takes the other rows of the batch as negatives; expected 2 or more"
    for name in ("temperature", "learning_rate", "head_learning_rate", "lora_alpha"):
        value = getattr(recipe, name)
        if value is not None and not value > 0:
            yield f"{name} = {value}: expected more than 0"
    for name in ("warmup_ratio", "dropout"):
        if not 0 <= getattr(recipe, name) < 1:
            yield f"{name} = {getattr(recipe, name)}: expected 0 or more, less than 1"
    for name in ("weight_decay", "max_grad_norm", "fsq_weight", "margin", "seed", "false_negative_ratio"):
        if (getattr(recipe, name) or 0) < 0:
            yield f"{name} = {getattr(recipe, name)}: expected 0 or more"
    yield from _foreign(recipe)
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
    for name, parse in (("fsq", parse_levels), ("memory", parse_size), ("columns", parse_columns)):
        try:
            if getattr(recipe, name):
                parse(getattr(recipe, name))
        except CallError as error:
            yield str(error)


def _items(value: object) -> tuple:
    return value if isinstance(value, tuple) else ()


def _foreign(recipe: Recipe) -> typing.Iterator[str]:
    """Settings that would be ignored, since they belong to another loss or to what does not train."""
    for name, (owner, values) in BELONGS.items():
        value, beside = getattr(recipe, name), getattr(recipe, owner)
        # What is off does nothing anyway.
        if value in (default(name), "off") or (beside in values if values else beside):
            continue
        if values:
            chosen = " or ".join(repr(each) for each in values)
            yield f"{name} = {toml(value)} belongs to {owner} = {chosen}, and here {owner} is {beside!r}"
        else:
            yield f"{name} = {toml(value)} belongs to {owner}, which is not set"


def _fits(value: object, hint: object) -> bool:
    if isinstance(hint, types.UnionType):
        return any(_fits(value, option) for option in hint.__args__)
    if typing.get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_fits(item, typing.get_args(hint)[0]) for item in value)
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return isinstance(value, hint)


def _words(hint: object) -> str:
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", types.NoneType: "nothing"}
    if isinstance(hint, types.UnionType):
        return " or ".join(_words(option) for option in hint.__args__)
    return words.get(hint) or f"a list of {'whole ' if hint == tuple[int, ...] else ''}numbers"
