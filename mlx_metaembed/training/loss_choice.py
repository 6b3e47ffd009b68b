"""Which loss is for which rows, from which paper, and when to choose it: the tables of docs/losses.md."""

from mlx_metaembed.data.wanted import TRAINS
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.recipe.checks import GUIDED

CHOICE = {
    "info_nce": ("1807.03748", "the first choice for pairs; the larger the batch, the more negatives"),
    "gist": ("2402.16829", "pairs with false negatives, and a better model of any kind to tell them (guide = MODEL)"),
    "triplet": ("1503.03832", "negatives are mined and good, batches are small"),
    "mega_batch_margin": ("1711.05732", "paraphrases in large batches; only the hardest negative of a batch counts"),
    "margin_mse": ("2010.02666", "a cross-encoder has scored positives and negatives; keeps its distances"),
    "kl": ("2010.11386", "a teacher has scored lists of candidates; keeps their order and shares"),
    "kl_in_batch": ("2010.11386", "pairs and a teacher's vectors; how it would rank all documents of a batch"),
    "self_distillation": ("2402.03216", "one model gives vectors, sparse and token vectors, beside info_nce on each"),
    "cosent": ("", "scores have an order, their scale is arbitrary: STS"),
    "angle": ("2309.12871", "as cosent, where cosines are near 1 or -1 and their gradient vanishes"),
    "mse": ("1908.10084", "the scores themselves are wanted: a cosine, or what a regression head says"),
    "contrastive": ("", "pairs are alike (1) or not (0); all of them count"),
    "online_contrastive": ("", "pairs are alike or not, and most are easy; only the hard ones of a batch count"),
    "nt_xent": ("2004.11362", "texts have a label (thread, author, duplicate group), many labels; the first choice"),
    "batch_hard_triplet": ("1703.07737", "labels are clean; the hardest positive and negative of each text count"),
    "batch_hard_soft_margin_triplet": ("1703.07737", "as batch_hard_triplet, without a margin to set"),
    "batch_semi_hard_triplet": ("1503.03832", "labels are noisy, or batch_hard_triplet collapses"),
    "batch_all_triplet": ("1703.07737", "few texts a label, small batches; all triplets count"),
    "cross_entropy": ("", "a head with a score for each class is wanted, not nearness"),
    "distillation": ("2004.09813", "a teacher's vectors of the texts are there"),
    "similarity_distillation": (
        "2412.19048",
        "a teacher of another width; beside distillation, or where that can't be",
    ),
    "relative_similarity_distillation": (
        "2412.19048",
        "as similarity_distillation; the order of cosines, not their size",
    ),
    "spread_out": ("1708.06320", "beside another loss, where vectors crowd together"),
    "flops": ("2109.10086", "beside another loss on sparse vectors, so that a search stays cheap"),
}
"""By loss: the paper's number on arXiv, where there is one, and when the loss is the right one."""


def lines() -> list[str]:
    """The table in Markdown, one line a loss; rows are columns: texts, `[optional]` texts, targets."""
    found = ["| loss | rows | paper | when |", "|---|---|---|---|"]
    for name, loss in LOSSES.items():
        paper, when = CHOICE[name]
        found.append(f"| {name} | {columns(loss)} | {link(paper)} | {when} |")
    return found


def link(paper: str) -> str:
    """A paper's number on arXiv as a link in Markdown; a dash for none."""
    return f"[arXiv:{paper}](https://arxiv.org/abs/{paper})" if paper else "-"


def by_columns() -> list[str]:
    """The losses by the columns that rows have, in Markdown, the first choice first."""
    found = ["| columns | losses |", "|---|---|"]
    for _, wanted, losses in TRAINS:
        optional = (f"[{role}]" for role in wanted.optional)
        said = ", ".join([*wanted.roles, *optional, *wanted.targets])
        found.append(f"| {said} | {', '.join(map(_beside, losses))} |")
    return found


def _beside(name: str) -> str:
    """A loss's name, with what it takes beside the columns."""
    if "teacher.*" not in LOSSES[name].targets:
        return name
    return f"{name} (and a {'guide' if name in GUIDED else 'teacher'})"


def columns(loss: type) -> str:
    """The columns of the rows that a loss takes."""
    return ", ".join([*loss.roles, *(f"[{role}]" for role in loss.optional), *loss.targets]) or "any texts"
