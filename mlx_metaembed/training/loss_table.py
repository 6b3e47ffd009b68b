"""Which loss takes which rows and heads: the table of docs/objectives.md, from the losses' own words."""

from mlx_metaembed.losses import LOSSES
from mlx_metaembed.losses.widths import CUT
from mlx_metaembed.training.loss_choice import columns

HEADS = {
    "vector": "dense",
    "code": "fsq, rvq",
    "sparse": "splade, lexical",
    "tokens": "multi_vector",
    "scores": "regression, classification",
}
"""The heads that give each kind of output."""


def lines() -> list[str]:
    """The table in Markdown, one line a loss; every loss runs on both engines, with GradCache and without."""
    found = ["| loss | rows | heads | Matryoshka |", "|---|---|---|---|"]
    for name, loss in LOSSES.items():
        joined = " + ".join if loss.several else "; ".join
        heads = joined(HEADS[gives] for gives in loss.accepts)
        widths = ", ".join(gives for gives in loss.accepts if gives in CUT) or "-"
        found.append(f"| {name} | {columns(loss)} | {heads} | {widths} |")
    return found
