"""What one model does with rows, text by text: scores, nearest texts, and where the right ones stand.

Q queries, N stored texts; of labelled texts the queries are those that are judged, and right is what has their label.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.data.rows import Labelled, Retrieval, Scored
from mlx_metaembed.evaluate.coded import Coded
from mlx_metaembed.evaluate.histogram import Histogram
from mlx_metaembed.evaluate.rows import Candidates, JudgedPairs, Split, Translations
from mlx_metaembed.evaluate.task import K
from mlx_metaembed.search.exact import score_blocks, top

SCORES, QUERIES = 20_000_000, 2_000
"""Scores of wrong texts that are counted, and queries whose scores are."""
RIGHT, NEAREST_WRONG, WRONG = "right answers", "best wrong answer of each query", "all wrong answers"
SAME, NEAREST_OTHER, OTHER = "texts of one label", "nearest text of another label", "all texts of other labels"
TOGETHER, APART = "pairs that belong together", "pairs that do not"


@dataclass(frozen=True)
class Seen:
    """`groups` are the scores of what belongs together, first, and of what does not, last; `nearest` int64 [Q, K] with
    `scores` [Q, K]; `right` int64 [Q] is the best right text of each query, -1 for none, at `rank` [Q] from 1 with
    `right_scores` [Q]. Of candidates `nearest` is the first of each query's own. Of pairs there are `cosines` [n]."""

    groups: dict[str, Histogram]
    nearest: np.ndarray | None = None
    scores: np.ndarray | None = None
    right: np.ndarray | None = None
    rank: np.ndarray | None = None
    right_scores: np.ndarray | None = None
    cosines: np.ndarray | None = None


def seen(coded: Coded, rows: object) -> Seen | None:
    """What a model's full-width vectors do with rows; None for rows of another kind, and of a single text."""
    if isinstance(rows, Retrieval):
        found = [np.array([row for row, grade in grades.items() if grade > 0], np.int64) for grades in rows.relevant]
        return _ranked(coded, coded.similarity, found.__getitem__, rows.itself, (RIGHT, NEAREST_WRONG, WRONG))
    if isinstance(rows, Translations):
        return seen(coded, rows.retrieval())
    if isinstance(rows, Labelled | Split):
        test, stored = parts(rows)
        places: dict[str, list[int]] = {}
        for row, label in enumerate(stored.labels):
            places.setdefault(label, []).append(row)
        members = {label: np.array(found, np.int64) for label, found in places.items()}
        none = np.zeros(0, np.int64)
        itself = {row: row for row in range(len(test))} if stored is test else {}
        names = (SAME, NEAREST_OTHER, OTHER)
        return _ranked(coded, "cosine", lambda at: members.get(test.labels[at], none), itself, names)
    if isinstance(rows, Candidates):
        return _candidates(coded, rows)
    if isinstance(rows, JudgedPairs):
        return _pairs(coded, np.asarray(rows.together, bool), (TOGETHER, APART))
    if isinstance(rows, Scored):
        gold = np.asarray(rows.scores, np.float64)
        # In the upper half of the scale, and in the lower.
        middle = (gold.min() + gold.max()) / 2
        names = (f"pairs that people scored above {middle:g}", f"pairs scored {middle:g} or less")
        return _pairs(coded, gold > middle, names)
    return None


def parts(rows: Labelled | Split) -> tuple[Labelled, Labelled]:
    """The texts that are judged and those that they are judged by: the same, where a text is no neighbour of itself."""
    return (rows.test, rows.train) if isinstance(rows, Split) else (rows, rows)


def _pairs(coded: Coded, near: np.ndarray, names: tuple[str, str]) -> Seen:
    """Pairs by their cosines, those that are `near` [n] apart from the others."""
    cosines = np.sum(unit(coded.queries) * unit(coded.stored), axis=1, dtype=np.float64)
    groups = {name: Histogram() for name in names}
    for histogram, chosen in zip(groups.values(), (near, ~near), strict=True):
        histogram.add(cosines[chosen])
    return Seen(groups, cosines=cosines)


def _candidates(coded: Coded, rows: Candidates) -> Seen:
    """Every query with its own candidates; a right one stands behind the wrong ones of its score."""
    groups = {name: Histogram() for name in (RIGHT, NEAREST_WRONG, WRONG)}
    found: list[tuple[int, float, int, int, float]] = []
    for query, (positives, negatives) in zip(coded.queries, rows.candidates, strict=True):
        places = np.array([*negatives, *positives])
        ((scores,),) = score_blocks(query[None], coded.stored[places], similarity=coded.similarity)
        wrong, right = scores[: len(negatives)], scores[len(negatives) :]
        first, best = int(np.argmax(scores)), int(np.argmax(right))
        for name, values in zip(groups, (right, wrong[[np.argmax(wrong)]], wrong), strict=True):
            groups[name].add(values)
        rank = 1 + int(np.count_nonzero(wrong >= right[best]))
        found.append((places[first], scores[first], positives[best], rank, right[best]))
    nearest, scores, right, rank, right_scores = map(np.array, zip(*found, strict=True))
    return Seen(groups, nearest[:, None], scores[:, None], right, rank, right_scores)


def _ranked(
    coded: Coded,
    similarity: str,
    relevant: Callable[[int], np.ndarray],
    itself: Mapping[int, int],
    names: tuple[str, str, str],
) -> Seen | None:
    """Every query against every stored text but the one that it is itself, by one pass over the scores."""
    count, k = len(coded.queries), min(K, len(coded.stored) - bool(itself))
    if k < 1:
        return None
    sampled = min(count, QUERIES, max(SCORES // max(len(coded.stored), 1), 1))
    chosen = set(np.linspace(0, count - 1, sampled).round().astype(int).tolist())
    groups = {name: Histogram() for name in names}
    nearest, scores, right, rank, right_scores = [], [], np.full(count, -1), np.zeros(count, np.int64), np.zeros(count)
    start = 0
    for block in score_blocks(coded.queries, coded.stored, similarity=similarity):
        best_wrong = []
        for line, found in enumerate(block):
            at = start + line
            if at in itself:
                found[itself[at]] = -np.inf
            rows = relevant(at)
            rows = rows[np.isfinite(found[rows])]
            if not len(rows):
                continue
            best = int(rows[np.argmax(found[rows])])
            right[at], right_scores[at] = best, found[best]
            rank[at] = 1 + np.count_nonzero(found > found[best]) + np.count_nonzero(found[:best] == found[best])
            wrong = found.copy()
            wrong[rows] = -np.inf
            best_wrong.append(wrong.max())
            if at in chosen:
                groups[names[0]].add(found[rows])
                groups[names[2]].add(wrong)
        groups[names[1]].add(np.array(best_wrong))
        nearest.append(top(block, k))
        scores.append(np.take_along_axis(block, nearest[-1], axis=1))
        start += len(block)
    return Seen(groups, np.concatenate(nearest), np.concatenate(scores), right, rank, right_scores)
