"""What quantized weights keep of the float model's vectors, on texts that they were not calibrated on."""

from collections.abc import Mapping, Sequence

import numpy as np

from mlx_metaembed.cards import card
from mlx_metaembed.evaluate.code_kept import Reference
from mlx_metaembed.evaluate.code_kept import kept as kept_of_scores

Sides = tuple[np.ndarray, np.ndarray]
"""Vectors of queries [Q, D] and of what is searched [N, D]."""
SAID = {
    "cosine": "Cosine to the float model's vectors",
    "kept_r10": "Its ten nearest neighbours kept",
    "kept_ndcg": "nDCG@10 kept",
}


def kept(before: Sides, after: Sides, relevant: Sequence[Mapping[int, float]] | None, seed: int) -> dict[str, float]:
    """cosine and cosine_low (the mean, and the value that one text in a hundred is below), and kept_r10, kept_r100,
    kept_spearman, kept_ndcg as `code_kept.kept` has them, with intervals; ndcg@10 is the float model's."""
    cosines = np.concatenate([np.sum(one * other, axis=1) for one, other in zip(before, after, strict=True)])
    found = {"cosine": float(cosines.mean()), "cosine_low": float(np.quantile(cosines, 0.01))}
    width = before[0].shape[1]
    # A query carries both its vectors: the float one meets float vectors, the other one those of the same model.
    asking = np.concatenate([before[0], after[0]], axis=1)
    searched = np.concatenate([before[1], np.zeros_like(before[1])], axis=1)
    reference = Reference(asking, searched, relevant, {}, seed)
    figures = kept_of_scores(reference, lambda queries: queries[:, width:] @ after[1].T)
    if reference.ndcg is not None:
        found["ndcg@10"] = float(reference.ndcg.mean())
    return found | {name: value for name, value in figures.items() if "rescored" not in name}


def section(figures: Mapping[str, float], queries: int, searched: int, source: str) -> str:
    """The part of a card that says what is kept."""
    rows = {said: f"{figures[name]:.4f}" for name, said in SAID.items() if name in figures}
    for name in ("kept_r10", "kept_ndcg"):
        if name in figures:
            rows[SAID[name]] += f" ({figures[f'{name}_low']:.4f} to {figures[f'{name}_high']:.4f})"
    on = (
        f"Measured on {queries:,} queries in {searched:,} texts of {source}, apart from those that it was calibrated on"
    )
    return f"## What the rounding keeps\n\n{on}; in brackets 95 % intervals over the queries.\n\n{card.table(rows)}"
