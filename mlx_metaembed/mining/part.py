"""Some queries' rows: their nearest texts, what a judge makes of them, the negatives chosen, and what was counted."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from mlx_metaembed.mining import counts, formats
from mlx_metaembed.mining.judges import Judge
from mlx_metaembed.mining.selection import choose
from mlx_metaembed.mining.settings import Settings
from mlx_metaembed.mining.tasks import Task

DIGITS = 6
"""Of a score in a file: float32 has no more of a cosine."""


class Search(Protocol):
    """Vectors of a task's queries and corpus, as `Searched` has them."""

    def nearest(self, queries: range, k: int) -> tuple[np.ndarray, np.ndarray]: ...
    def scores(self, queries: Sequence[int], rows: Sequence[int]) -> np.ndarray: ...


class Part:
    """The rows of a range of queries; `counted` says what became of their candidates."""

    def __init__(
        self, task: Task, settings: Settings, searched: Search, judge: Judge | None, queries: range, last_rank: int
    ):
        self.task, self.settings, self.queries = task, settings, queries
        candidates = self._candidates(searched, last_rank)
        positives = self._positives(searched)
        if judge is not None:
            candidates, positives = self._judged(judge, candidates)
        self.positives = positives
        self.chosen = [
            choose(*found, near, settings, last_rank=last_rank, seed=(settings.seed, query))
            for query, found, near in zip(queries, candidates, positives, strict=True)
        ]
        self.counted = self._counted()

    def rows(self) -> Iterator[dict]:
        """The rows of the file, query after query."""
        used = sorted({int(row) for each in self.chosen for row in each.rows})
        texts = dict(zip(used, self.task.corpus[used], strict=True))
        for query, near, each in zip(self.queries, self.positives, self.chosen, strict=True):
            yield from formats.rows(
                self.settings.output_format,
                self.task.queries[query],
                [
                    (text, round(float(score), DIGITS))
                    for text, score in zip(self.task.positives[query], near, strict=True)
                ],
                [
                    (texts[int(row)], round(float(score), DIGITS))
                    for row, score in zip(each.rows, each.scores, strict=True)
                ],
                count=self.settings.num_negatives,
                scores=self.settings.output_scores,
            )

    def _candidates(self, searched: Search, last_rank: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Rows and scores of each query's candidates: the nearest but its own text and its positives.

        As many are looked at as in sentence-transformers, where positives take their ranks.
        """
        pool = last_rank + self.task.most_positives
        found = []
        for query, rows, scores in zip(
            self.queries, *searched.nearest(self.queries, self.task.nearest(last_rank)), strict=True
        ):
            rows, scores = rows[rows >= 0], scores[rows >= 0]
            kept = ~self.task.is_own(query, rows)
            rows, scores = rows[kept][:pool], scores[kept][:pool]
            if not self.settings.include_positives:
                kept = ~self.task.is_positive(query, rows)
                rows, scores = rows[kept], scores[kept]
            found.append((rows, scores))
        return found

    def _positives(self, searched: Search) -> list[np.ndarray]:
        """Scores of each query's positives."""
        rows = [self.task.rows[query] for query in self.queries]
        each = [query for query, found in zip(self.queries, rows, strict=True) for _ in found]
        scores = searched.scores(each, [row for found in rows for row in found])
        return np.split(scores, np.cumsum([len(found) for found in rows])[:-1])

    def _judged(self, judge: Judge, candidates: list) -> tuple[list, list]:
        """The candidates and the positives with the judge's scores."""
        texts = [
            [*self.task.positives[query], *self.task.corpus[[int(row) for row in rows]]]
            for query, (rows, _) in zip(self.queries, candidates, strict=True)
        ]
        scores = judge.scores([self.task.queries[query] for query in self.queries], texts)
        counts_ = [len(self.task.positives[query]) for query in self.queries]
        judged = [(rows, found[at:]) for (rows, _), found, at in zip(candidates, scores, counts_, strict=True)]
        return judged, [found[:at] for found, at in zip(scores, counts_, strict=True)]

    def _counted(self) -> dict:
        asked, alone = self.settings.num_negatives, self.settings.output_format == "n-tuple"
        found = counts.none()
        near: list[float] = []
        far: list[float] = []
        for each, positives in zip(self.chosen, self.positives, strict=True):
            rows, got = len(positives), len(each.rows)
            found = counts.added(found, counts.none() | {"dropped": each.dropped})
            if not got or (alone and got < asked):
                found["rows_left_out"] += rows
                continue
            found["rows_with_fewer"] += rows * (got < asked)
            found["rows"] += self._rows_of(rows, got)
            found["negatives"] += got * (1 if self.settings.output_format == "labeled-pair" else rows)
            near += positives.tolist()
            far += each.scores.tolist()
        return found | {"positive_score": counts.of_scores(near), "negative_score": counts.of_scores(far)}

    def _rows_of(self, positives: int, negatives: int) -> int:
        """Rows of the file for a query."""
        if self.settings.output_format == "triplet":
            return positives * negatives
        return positives + negatives if self.settings.output_format == "labeled-pair" else positives
