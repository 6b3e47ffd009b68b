"""Four data sets after equal steps on equal rows: the settings that all contestants share, and who they are."""

from dataclasses import dataclass, field

from mlx_metaembed.training.defaults import RATES

STEPS, LENGTH, LEARNING_RATE, SEEDS = 24, 48, 5e-5, (0, 1, 2)


@dataclass(frozen=True)
class DataSet:
    """The loss that fits its columns, rows a batch, and the figure of its test rows."""

    loss: str
    batch: int
    figure: str


SETS = {
    "cosqa": DataSet("info_nce", 16, "ndcg@10"),
    "scitldr": DataSet("info_nce", 16, "ndcg@10"),
    "stsb": DataSet("cosent", 32, "spearman"),
    "cad_nli": DataSet("info_nce", 16, "accuracy"),
}


@dataclass(frozen=True)
class Contestant:
    """One way to train: by which kit, on which engine, with which settings of a recipe.

    `same` gives sentence-transformers this kit's batches, schedule and decay, and no dropout; without it both are as
    they come. `kept` asks what is forgotten. The kit "average" trains nothing: it averages what `FAR` left with the
    base.
    """

    kit: str
    engine: str = "torch"
    same: bool = False
    kept: bool = False
    settings: dict = field(default_factory=dict)


BASE, THEIRS, THEIRS_SAME, OURS, OURS_MLX = (
    "base",
    "sentence-transformers",
    "sentence-transformers, same recipe",
    "metaembed",
    "metaembed mlx",
)
FAR, AVERAGED, DISTILLED, LORA = "far", "far, averaged", "far, distilled", "far, LoRA"
TIMES = 8
"""The rate times this moves a model so far in a few steps that there is something to forget."""
SHARE, NEAR_BASE = 0.5, 10.0
"""Of `average_with_base` and `distill_from_base`, each tried at this one value."""
_FAST = {"learning_rate": TIMES * LEARNING_RATE}
CONTESTANTS = {
    BASE: Contestant("none", kept=True),
    THEIRS: Contestant("sentence-transformers", kept=True),
    THEIRS_SAME: Contestant("sentence-transformers", same=True),
    OURS: Contestant("metaembed", kept=True),
    OURS_MLX: Contestant("metaembed", engine="mlx"),
    FAR: Contestant("metaembed", kept=True, settings=_FAST),
    AVERAGED: Contestant("average", kept=True),
    DISTILLED: Contestant("metaembed", kept=True, settings=_FAST | {"distill_from_base": NEAR_BASE}),
    LORA: Contestant("metaembed", kept=True, settings={"train": "lora", "learning_rate": TIMES * RATES["lora"]}),
}
TURNS = ((THEIRS, OURS, THEIRS_SAME), (FAR, AVERAGED, DISTILLED, LORA), (OURS_MLX,))
"""Who takes turns in one process, on one set with one seed; the base, which no seed changes, goes before them."""
