"""The examination: a set's own figure on its test rows, and what the model still knows of stsb and banking77.

Each figure has its value and what it comes to when the same units are drawn again, in draws that are the same for every
model: two models are compared draw by draw.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.sets import SETS, texts
from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.evaluate import classification, sts
from mlx_metaembed.evaluate.judgement import Judgement, of_means
from mlx_metaembed.evaluate.retrieval import by_query
from mlx_metaembed.search.exact import rankings, score_blocks

DRAWS = 400
Encode = Callable[[list[str]], np.ndarray]
Figure = dict[str, object]


def examine(encode: Encode, name: str, data: Path, *, kept: bool) -> dict[str, Figure]:
    """`{"task": figure}` of a set, with `kept` those of stsb and banking77 too."""
    found = {"task": figure(_task(encode, name, data), SETS[name].figure)}
    if kept:
        found["stsb"] = found["task"] if name == "stsb" else figure(_stsb(encode, data), "spearman")
        found["banking77"] = figure(_banking77(encode, data), "logistic_macro_f1")
    return found


def figure(judgement: Judgement, name: str) -> Figure:
    """A figure's value, and its values over draws of the units."""
    random, units = np.random.default_rng(0), judgement.units
    weights = (np.bincount(random.integers(0, units, units), minlength=units) for _ in range(DRAWS))
    drawn = [round(judgement.figures(each)[name], 5) for each in weights]
    return {"figure": name, "value": judgement.figures(None)[name], "draws": drawn}


def _task(encode: Encode, name: str, data: Path) -> Judgement:
    if name == "stsb":
        return _stsb(encode, data)
    if name == "cad_nli":
        rows = texts.triplets(data)
        anchors, positives, negatives = (
            unit(encode([row[role] for row in rows])) for role in ("anchor", "positive", "negative")
        )
        right = (anchors * positives).sum(axis=1) > (anchors * negatives).sum(axis=1)
        return of_means({"accuracy": right.astype(np.float64)})
    asked = texts.search(name, data)
    ranked, _ = rankings(score_blocks(unit(encode(asked.queries)), unit(encode(asked.corpus))), 10)
    return of_means(by_query(ranked, asked.relevant, [10]))


def _stsb(encode: Encode, data: Path) -> Judgement:
    rows = texts.scored(data)
    left, right = (encode([row[role] for row in rows]) for role in ("sentence1", "sentence2"))
    return sts.judge(left, right, [row["score"] for row in rows])


def _banking77(encode: Encode, data: Path) -> Judgement:
    (learnt, names), (judged, labels) = texts.labelled(data, "train"), texts.labelled(data, "test")
    return classification.judge(encode(judged), encode(learnt), labels, names)
