"""Which neighbours training changed: how many of the nearest texts are still there, and where most of them went."""

from collections.abc import Mapping

import numpy as np

from mlx_metaembed.data.rows import Labelled, Retrieval
from mlx_metaembed.evaluate.mistakes import TEXT
from mlx_metaembed.evaluate.rows import Split, Translations
from mlx_metaembed.evaluate.seen import Seen, parts

QUERIES, HITS = 4, 3
"""What is shown: queries, and hits of each."""


def changed(rows: object, found: Mapping[str, Seen]) -> dict | None:
    """`{"nearest", "kept", "first_changed", "queries", "answers"}`; None where there is no before and after.

    `kept` is the mean share of the `nearest` texts that are still there after training, `first_changed` how many of the
    queries have another first one. The answers are those to the queries that kept fewest, as `report.answers` has them.
    """
    rows = rows.retrieval() if isinstance(rows, Translations) else rows
    if found.keys() != {"before", "after"} or not isinstance(rows, Retrieval | Labelled | Split):
        return None
    before, after = found["before"], found["after"]
    kept = np.array([len(np.intersect1d(*both)) for both in zip(before.nearest, after.nearest, strict=True)])
    moved = np.abs(before.rank - after.rank)
    width = before.nearest.shape[1]
    first = np.lexsort((-moved, kept))[:QUERIES]
    return {
        "nearest": width,
        "kept": float(kept.mean() / width),
        "first_changed": int(np.count_nonzero(before.nearest[:, 0] != after.nearest[:, 0])),
        "queries": len(kept),
        "answers": [_answer(rows, found, at) for at in first.tolist() if kept[at] < width],
    }


def _answer(rows: Retrieval | Labelled | Split, found: Mapping[str, Seen], at: int) -> dict:
    if not isinstance(rows, Retrieval):
        test, stored = parts(rows)
        said = {"query": f"{test.texts[at][:TEXT]} ({test.labels[at]})"}
        return said | {stage: _neighbours(stored, each, at, test.labels[at]) for stage, each in found.items()}
    relevant = {row for row, grade in rows.relevant[at].items() if grade > 0}
    said = {"query": rows.queries[at][:TEXT]}
    for stage, each in found.items():
        hits = zip(each.nearest[at, :HITS].tolist(), each.scores[at, :HITS].tolist(), strict=True)
        said[stage] = [
            {"score": score, "text": rows.corpus[hit][:TEXT], "right": hit in relevant} for hit, score in hits
        ]
        said[f"right_{stage}"] = int(each.rank[at]) or None
    return said


def _neighbours(stored: Labelled, each: Seen, at: int, label: str) -> list[dict]:
    hits = zip(each.nearest[at, :HITS].tolist(), each.scores[at, :HITS].tolist(), strict=True)
    return [
        {
            "score": score,
            "id": stored.labels[hit],
            "text": stored.texts[hit][:TEXT],
            "right": "same label" if stored.labels[hit] == label else False,
        }
        for hit, score in hits
    ]
