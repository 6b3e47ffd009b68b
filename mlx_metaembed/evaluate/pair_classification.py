"""Pair classification: do cosines tell pairs that belong together from those that do not?

Average precision needs no threshold; F1 and accuracy are those at the threshold that is best for each, which stands
beside them, as sentence-transformers' BinaryClassificationEvaluator has them. Pairs of equal cosine fall on the same
side of every threshold.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate.coded import Coded
from mlx_metaembed.evaluate.judgement import Judgement, Weights
from mlx_metaembed.evaluate.rows import JudgedPairs
from mlx_metaembed.evaluate.task import Side, Task

FIGURES = ("ap", "f1", "accuracy")


def judge(left: np.ndarray, right: np.ndarray, together: Sequence[bool]) -> Judgement:
    """`ap`, `f1`, `f1_threshold`, `accuracy`, `accuracy_threshold` of the cosines of pairs [n, D], [n, D].

    Raises CallError as `require_both` does.
    """
    require_both(together)
    cosines = np.sum(unit(left) * unit(right), axis=1, dtype=np.float64)
    order = np.argsort(-cosines, kind="stable")
    scores, gold = cosines[order], np.asarray(together, bool)[order]
    # The last of each run of equal scores.
    ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
    thresholds = np.append((scores[ends[:-1]] + scores[ends[1:]]) / 2, scores[-1])

    def figures(weights: Weights) -> dict[str, float]:
        counts = np.ones(len(gold)) if weights is None else weights[order].astype(np.float64)
        found = np.cumsum(counts * gold)[ends]
        taken = np.cumsum(counts)[ends]
        positives, pairs = found[-1], taken[-1]
        if not positives:
            return dict.fromkeys(("ap", "f1", "f1_threshold", "accuracy", "accuracy_threshold"), np.nan)
        ap = np.sum(np.diff(found, prepend=0) * found / np.maximum(taken, 1)) / positives
        f1 = 2 * found / (taken + positives)
        accuracy = (2 * found - taken + pairs - positives) / pairs
        best, most = int(np.argmax(f1)), int(np.argmax(accuracy))
        return {
            "ap": float(ap),
            "f1": float(f1[best]),
            "f1_threshold": float(thresholds[best]),
            "accuracy": float(accuracy[most]),
            "accuracy_threshold": float(thresholds[most]),
        }

    return Judgement(len(gold), figures)


def require_both(together: Sequence[bool]) -> None:
    """Raise CallError where not both kinds of pairs are there."""
    found = sum(map(bool, together))
    if not 0 < found < len(together):
        kind = "belong together" if found else "are apart"
        raise CallError(
            f"Pair classification needs pairs of both labels, 1 and 0; all {len(together):,} pairs here {kind}"
        )


@dataclass(frozen=True)
class PairClassificationTask(Task):
    """Two sentences that belong together or do not."""

    rows: JudgedPairs
    name = "pair_classification"
    takes = "sentence1, sentence2, label"

    @classmethod
    def names_of(cls, ks: Sequence[int]) -> tuple[str, ...]:
        return FIGURES

    @property
    def counts(self) -> dict[str, int]:
        return {"pairs": len(self.rows.together), "together": sum(self.rows.together)}

    @property
    def sides(self) -> tuple[Side, Side]:
        return (self.rows.sentence1, None), (self.rows.sentence2, None)

    def judge(self, coded: Coded, wanted: Collection[str]) -> Judgement:
        return judge(coded.queries, coded.stored, self.rows.together)

    def require_measurable(self) -> None:
        require_both(self.rows.together)
