"""What a model's vectors say of a part of the chat: figures with intervals, drawn over threads, and histograms."""

from dataclasses import dataclass

import numpy as np
from chat import Pairs, Part

from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.evaluate import bootstrap
from mlx_metaembed.evaluate.histogram import Histogram
from mlx_metaembed.evaluate.judgement import Judgement
from mlx_metaembed.evaluate.sts import pearson, ranks

DRAWS = 300


@dataclass(frozen=True)
class Cosines:
    """The cosine of each pair by kind, and the number of the thread of its first message, which is drawn."""

    values: dict[str, np.ndarray]
    units: dict[str, np.ndarray]
    threads: int


def cosines(vectors: np.ndarray, part: Part, pairs: Pairs) -> Cosines:
    """The cosines of vectors [M, D] for the pairs of a part."""
    x, (names, numbers) = unit(vectors), np.unique(part.threads, return_inverse=True)
    places = {"answers": pairs.answers, "same": pairs.same, "different": pairs.different}
    return Cosines(
        {name: np.sum(x[each[:, 0]] * x[each[:, 1]], axis=1) for name, each in places.items()},
        {name: numbers[each[:, 0]] for name, each in places.items()},
        len(names),
    )


def conversation(found: Cosines) -> Judgement:
    """`correlation` of the cosine with "answer or same thread", and `same`, `different`, `gap`, `auc` of threads."""
    values, units = found.values, found.units
    joined = np.concatenate([values[name] for name in ("answers", "same", "different")])
    of = np.concatenate([units[name] for name in ("answers", "same", "different")])
    together = np.arange(len(joined)) < len(joined) - len(values["different"])
    area = Area(values["same"], values["different"])

    def figures(weights: np.ndarray | None) -> dict[str, float]:
        count = np.ones(found.threads) if weights is None else weights.astype(float)
        own = {name: count[each] for name, each in units.items()}
        # As many weigh in as belong together as do not, so that the figure does not hang on their numbers.
        shares = np.where(together, 1 / max(count[of][together].sum(), 1), 1 / max(count[of][~together].sum(), 1))
        same, different = (np.average(values[name], weights=own[name]) for name in ("same", "different"))
        return {
            "correlation": pearson(joined, together, count[of] * shares),
            "same": float(same),
            "different": float(different),
            "gap": float(same - different),
            "auc": area(own["same"], own["different"]),
        }

    return Judgement(found.threads, figures)


class Area:
    """The area under the curve: how often a score of the first kind is above one of the second, equal ones half."""

    def __init__(self, first: np.ndarray, second: np.ndarray):
        _, self._which = np.unique(np.concatenate([first, second]), return_inverse=True)
        self._first, self._bins = len(first), self._which.max(initial=0) + 1

    def __call__(self, first: np.ndarray, second: np.ndarray) -> float:
        ones = np.bincount(self._which[: self._first], first, self._bins)
        others = np.bincount(self._which[self._first :], second, self._bins)
        below = np.cumsum(others) - others / 2
        return float(ones @ below / max(first.sum() * second.sum(), 1e-9))


def quality(scores: np.ndarray, part: Part) -> Judgement:
    """`spearman` of scores [M] with whether a message was answered soon, and `auc`."""
    known = np.isfinite(part.answered)
    scores, answered = np.asarray(scores, float)[known], part.answered[known]
    names, units = np.unique(part.threads[known], return_inverse=True)
    order, yes = ranks(scores), answered > 0
    area = Area(scores[yes], scores[~yes])

    def figures(weights: np.ndarray | None) -> dict[str, float]:
        count = (np.ones(len(names)) if weights is None else weights.astype(float))[units]
        # Ranks are those of all messages; a draw weighs them.
        return {"spearman": pearson(order, answered, count), "auc": area(count[yes], count[~yes])}

    return Judgement(len(names), figures)


def with_intervals(judgement: Judgement) -> dict[str, float]:
    """The figures, and the ends of the interval of each."""
    return judgement.figures(None) | bootstrap.intervals(judgement, draws=DRAWS)


def histogram(found: Cosines) -> list[dict]:
    """The cosines of one thread and of different threads, counted."""
    groups = []
    for name, heading in (("same", "same thread"), ("different", "different threads")):
        counted = Histogram()
        counted.add(found.values[name])
        groups.append({"name": heading, **counted.as_json()})
    return groups
