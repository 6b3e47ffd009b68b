"""Four data sets after equal steps on equal rows: the settings that all contestants share, and who they are."""

from dataclasses import dataclass, field

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
    they come. `kept` asks what is forgotten. The kit "average" trains nothing: it averages what `OURS` left with the
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
AVERAGED, DISTILLED, LORA = "metaembed, averaged", "metaembed, distilled", "metaembed, LoRA"
SHARE, NEAR_BASE = 0.5, 10.0
"""Of `average_with_base` and `distill_from_base`, each tried at this one value."""
CONTESTANTS = {
    BASE: Contestant("none", kept=True),
    THEIRS: Contestant("sentence-transformers", kept=True),
    THEIRS_SAME: Contestant("sentence-transformers", same=True),
    OURS: Contestant("metaembed", kept=True),
    OURS_MLX: Contestant("metaembed", engine="mlx"),
    AVERAGED: Contestant("average", kept=True),
    DISTILLED: Contestant("metaembed", kept=True, settings={"distill_from_base": NEAR_BASE}),
    LORA: Contestant("metaembed", kept=True, settings={"train": "lora", "learning_rate": None}),
}
TURNS = ((THEIRS, OURS, THEIRS_SAME), (AVERAGED,), (DISTILLED, LORA), (OURS_MLX,))
"""Who takes turns in one process, on one set with one seed; the base, which no seed changes, goes before them."""
