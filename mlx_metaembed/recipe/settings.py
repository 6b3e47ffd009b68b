"""A run's settings: one frozen dataclass. Its fields are the TOML keys and the options of `metaembed train`.

Defaults stand here and nowhere else. Names are sentence-transformers' and mlx-lm's where they have one.
"""

import typing
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from mlx_metaembed.errors import faults
from mlx_metaembed.files.sizes import parse_size
from mlx_metaembed.heads import parse_levels
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.recipe.checks import BELONGS, invalid
from mlx_metaembed.recipe.tables import DataTable, HeadTable, ObjectiveTable, TeacherTable


def setting(default: object, text: str, choices: tuple[str, ...] = ()) -> typing.Any:
    """A field with the line of help that its option shows, and the words it accepts."""
    return field(default=default, metadata={"help": text, "choices": choices})


def table(text: str) -> typing.Any:
    """A field of tables, which no option sets."""
    return field(default=(), metadata={"help": text, "choices": (), "table": True})


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, how. Sizes are texts and tokens, rates a step, `memory` a size like 8GB."""

    model: str = setting("", "Model to start from: a folder, a hub id, or an encoder installed from PyPI.")
    data: str = setting("", "Rows to train on: .jsonl, .csv, .parquet, a BEIR folder, SQLite, a tree of Python source.")
    columns: str = setting("", "What the data calls its columns: anchor=title,positive=source. A table in TOML.")
    no_header: bool = setting(False, "A .csv or .tsv has no header: its columns are told by position.")
    out: str = setting("", "Folder that the run writes: checkpoints, then the model.")
    eval_data: str = setting(
        "", "Rows to measure the model on while it trains, as `metaembed eval` takes them. The best checkpoint is kept."
    )
    eval_columns: str = setting("", "What eval_data calls its columns, as in columns.")
    eval_steps: int | None = setting(None, "Steps between evaluations. Default: a tenth of the run.")
    metric: str = setting(
        "", "What the best checkpoint is best by: a figure of `metaembed eval`. Default: the first of the data's task."
    )
    early_stopping: int | None = setting(
        None, "End the run after so many evaluations without improvement. Default: never."
    )
    allow_leak: bool = setting(False, "Go on where eval_data shares texts with the training data.")
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
    loss: str = setting(
        "info_nce", "What is minimised; metaembed train --losses says which is for which rows.", tuple(LOSSES)
    )
    temperature: float | None = setting(
        None, "Losses in a softmax: scores are divided by it. Default: the loss's own, 0.05 of info_nce."
    )
    symmetric: bool = setting(False, "InfoNCE: also from positive to anchor.")
    false_negative_margin: float | None = setting(
        None, "InfoNCE: leave out candidates whose cosine exceeds the positive's by more than this."
    )
    false_negative_ratio: float | None = setting(
        None, "InfoNCE: leave out candidates whose cosine is over this share of the positive's, like 0.95."
    )
    distance: str = setting("cosine", "Triplets, contrastive: distance.", ("cosine", "euclidean"))
    margin: float | None = setting(
        None, "Losses with a margin: in units of their distance. Default: the loss's own, 0.2 of triplet."
    )
    soft_margin: bool = setting(False, "Triplet: softplus instead of the hinge.")
    guide: str = setting("", "GIST: the model that tells false negatives, or a .npy file of its vectors.")
    margin_strategy: str = setting(
        "absolute",
        "GIST: a negative's cosine, as the guide has it, is below the positive's less margin, or that share.",
        ("absolute", "relative"),
    )
    contrast_anchors: bool = setting(True, "GIST: other anchors are negatives too.")
    contrast_positives: bool = setting(True, "GIST: other positives are negatives of a positive too.")
    teacher: str = setting("", "Distillation: the model that teaches, or a .npy file of its vectors.")
    matryoshka: tuple[int, ...] = setting((), "Widths that are trained together, like 384,192,96.")
    matryoshka_weights: tuple[float, ...] = setting((), "Weight of each width's loss. Default: 1 each.")
    dense: int | None = setting(None, "Add a Dense module of so many features behind the pooling.")
    fsq: str = setting("", "Train a code head too: levels like 4x64 (64 digits of 4 levels) or 8,8,8,5.")
    fsq_weight: float = setting(1.0, "Weight of the code head's loss.")
    mine_every: int | None = setting(
        None,
        "Steps from one mining of hard negatives by the model as it is then to the next; the first comes before the "
        "first step. Default: none.",
    )
    mine_negatives: int = setting(1, "Mined: negatives a row.")
    mine_margin: float = setting(
        0.05, "Mined: share of the positive's score that a negative's stays under it; -1 turns it off."
    )
    mine_range_min: int = setting(0, "Mined: first rank that is taken.")
    mine_range_max: int | None = setting(
        None, "Mined: rank before which it ends. Default: from the number of negatives."
    )
    mine_sampling: str = setting("top", "Mined: the best of the ranks, or drawn anew each time.", ("top", "random"))
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
    weighting: str = setting(
        "fixed",
        "How much each of several objectives counts: by its weight, or as is learned (arXiv:1705.07115).",
        ("fixed", "uncertainty"),
    )
    weighting_learning_rate: float = setting(1e-2, "Peak learning rate of the weights that are learned.")
    lr_schedule: str = setting("linear", "Decay after the warm-up.", ("linear", "cosine", "constant"))
    warmup_ratio: float = setting(0.1, "Share of the steps over which the learning rate rises.")
    weight_decay: float = setting(0.01, "Decay of matrices; biases and norms have none.")
    max_grad_norm: float = setting(1.0, "Gradients are scaled down to this length; 0 turns it off.")
    grad_accumulation_steps: int = setting(1, "Batches whose gradients are averaged before an update.")
    dropout: float = setting(0.0, "Dropout of hidden states.")
    distill_from_base: float = setting(
        0.0, "Weight of a term that keeps each text's vector near the one of the model that the run starts from."
    )
    average_with_base: float = setting(
        0.0,
        "Share of the base in the model that is left: 0.5 is half of what was trained and half of what it began from, "
        "which keeps more of what the base knew.",
    )
    quantization_aware: int | None = setting(
        None, "Compute with linear layers' weights rounded to so many bits, as an export to MLX will round them."
    )
    quantization_group_size: int = setting(64, "Rounded: weights that share a scale.")
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
    report_to: tuple[str, ...] = setting((), "Also log to tensorboard, wandb (Weights & Biases), or both.")
    max_characters: int = setting(100_000, "A text this long is an error, since the model reads its start only.")
    batch_sampler: str = setting(
        "auto",
        "Which rows share a batch: any of like length, none with a text of another (no_duplicates), or several of each "
        "label (group_by_label). auto: by label where a loss compares texts by their labels, else by length.",
        ("auto", "batch_sampler", "no_duplicates", "group_by_label"),
    )
    multi_dataset_batch_sampler: str = setting(
        "proportional",
        "Which data set a batch is from, where there are several: every row once, one batch of each in turn, or drawn "
        "by weight.",
        ("proportional", "round_robin", "weighted"),
    )
    seed: int = setting(0, "Seed of the data order, dropout and new heads.")
    engine: str = setting("auto", "Which engine computes.", ("auto", "mlx", "torch"))
    sources: tuple[DataTable, ...] = table("Data sets.")
    heads: tuple[HeadTable, ...] = table("Heads that are added.")
    objectives: tuple[ObjectiveTable, ...] = table("Losses, each on a head and a data set.")
    teachers: tuple[TeacherTable, ...] = table("Vectors by other models.")

    def __post_init__(self) -> None:
        wrong = list(invalid(self))
        if wrong:
            raise faults("The recipe is wrong:", wrong)

    def __repr__(self) -> str:
        """What is set otherwise than the defaults."""
        said = [(each.name, getattr(self, each.name)) for each in fields(self)]
        return f"Recipe({', '.join(f'{name}={value!r}' for name, value in said if value != default(name))})"

    @property
    def fsq_levels(self) -> tuple[int, ...]:
        return parse_levels(self.fsq) if self.fsq else ()

    @property
    def data_name(self) -> str:
        """What people call the data: the file's name, or those of several tables."""
        paths = [self.data] if self.data else [table.path for table in self.sources]
        if len(paths) == 1 and paths[0]:
            return Path(paths[0]).name
        return ", ".join(table.name for table in self.sources)

    @property
    def losses(self) -> tuple[str, ...]:
        """The names of the losses that train."""
        return tuple(dict.fromkeys(table.loss for table in self.objectives)) or (self.loss,)

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
