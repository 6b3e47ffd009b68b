"""Negatives that were mined while the run went: how near they are, and how many are new each time."""

from collections.abc import Mapping, Sequence

from mlx_metaembed.report.plots import several
from mlx_metaembed.report.series import series
from mlx_metaembed.training.mined_negatives import PREFIX

SCORES = {"positive_score": "a row's own positive", "negative_score": "its negatives"}
NEW = "not there before"


def mined(metrics: Sequence[Mapping[str, object]]) -> str:
    """Two plots over the steps; nothing for a run that mined none, nor for what was mined once."""
    scores = {name: points for key, name in SCORES.items() if len(points := series(metrics, PREFIX + key)) > 1}
    new = {NEW: points} if len(points := series(metrics, PREFIX + "changed")) > 1 else {}
    nearer = several("Scores of mined negatives", "means of the model as it was then", scores, identity="mined")
    return nearer + several("New among the mined negatives", "share of all", new, identity="mined-new", zero=True)
