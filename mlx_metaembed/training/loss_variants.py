"""Losses that go by a name of their own and are settings of another loss: a table of docs/losses.md."""

from mlx_metaembed.training.loss_choice import link

QWEN3 = ("query_to_doc", "query_to_query", "doc_to_doc")
VARIANTS = {
    "several positives": (
        *("info_nce", {"same_anchor": "positives"}, "2004.11362"),
        "an anchor has several rows; without it their positives are left out of one another's negatives",
    ),
    "both ways": (*("info_nce", {"symmetric": True}, "2103.00020"), "documents look for their queries too"),
    "all directions (GTE)": (
        *("info_nce", {"directions": (*QWEN3, "doc_to_query")}, "2308.03281"),
        "small batches: other queries and documents are negatives too, in one denominator",
    ),
    "Qwen3's denominator": (
        *("info_nce", {"directions": QWEN3, "false_negative_margin": 0.1}, "2506.05176"),
        "the same, where some of them may be answers",
    ),
    "false negatives left out": (
        *("info_nce", {"false_negative_ratio": 0.95}, "2407.15831"),
        "many rows are about one thing, and no guide is at hand",
    ),
    "hardness-weighted InfoNCE": (*("info_nce", {"hardness_strength": 9.0}, "2503.04812"), "most negatives are easy"),
    "its own hard negatives alone": (
        *("info_nce", {"hardness_strength": 5.0, "hardness_mode": "hard_negatives"}, "2509.20354"),
        "negatives are mined and good",
    ),
    "triplets, soft margin": (*("triplet", {"soft_margin": True}, "1703.07737"), "no margin to set"),
    "all triplets, soft margin": (*("batch_all_triplet", {"soft_margin": True}, "1703.07737"), "no margin to set"),
}
"""By name: the loss, its settings, the paper's number on arXiv, and when it is the right one."""


def lines() -> list[str]:
    """The table in Markdown, one line a variant; settings as they stand in an [[objective]]."""
    found = ["| known as | settings of an objective | paper | when |", "|---|---|---|---|"]
    for name, (loss, settings, paper, when) in VARIANTS.items():
        said = ", ".join(f"{key} = {_toml(value)}" for key, value in ({"loss": loss} | settings).items())
        found.append(f"| {name} | `{said}` | {link(paper)} | {when} |")
    return found


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"
