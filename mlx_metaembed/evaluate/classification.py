"""Classification on frozen vectors: by the nearest neighbours, and by a logistic regression.

With training texts of their own both learn from those. Without, neighbours leave one out, which needs no split and no
fitted head, and the regression learns from a seeded share of the texts and is judged on the others.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.data.rows import Labelled
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import logistic, neighbours
from mlx_metaembed.evaluate.coded import Coded
from mlx_metaembed.evaluate.guesses import Guesses
from mlx_metaembed.evaluate.judgement import Judgement
from mlx_metaembed.evaluate.rows import Split
from mlx_metaembed.evaluate.task import Side, Task

FIGURES = ("accuracy", "macro_f1", "logistic_accuracy", "logistic_macro_f1")
K = 10
"""Neighbours that vote."""
HELD_OUT = 0.2
"""The share of each label's texts that the regression is judged on, where there are no training texts."""


def measure(queries: np.ndarray, corpus: np.ndarray, labels: Sequence[str], k: int = K) -> dict[str, float]:
    """Leave-one-out k-nearest-neighbour `{"accuracy", "macro_f1"}` in 0..1, by cosine.

    Row i of `queries` [n, D] and of `corpus` [n, D] is the same text (the two differ where only stored vectors are
    coded). Raises CallError for fewer than two texts, unequal counts, or a single label.
    """
    return judge(queries, corpus, labels, k=k, regression=False).figures(None)


def judge(
    queries: np.ndarray,
    corpus: np.ndarray,
    labels: Sequence[str],
    training: Sequence[str] | None = None,
    *,
    k: int = K,
    seed: int = 0,
    regression: bool = True,
) -> Judgement:
    """The same text by text, with `logistic_accuracy` and `logistic_macro_f1` where a `regression` is wanted.

    `training` are the labels of the corpus, where its texts are others than the queries. Raises CallError as `measure`
    does, and as `require_learnable` does.
    """
    learnt = labels if training is None else training
    if len(queries) != len(labels) or len(corpus) != len(learnt):
        raise CallError(f"Expected a label for each vector; found {len(queries):,} vectors, {len(labels):,} labels")
    require_learnable(labels, training, regression=regression)
    names = {name: place for place, name in enumerate(sorted({*labels, *learnt}))}
    gold, taught = (np.array([names[label] for label in each]) for each in (labels, learnt))
    every, count, alone = np.arange(len(gold)), len(names), training is None
    near = neighbours.guessed(queries, corpus, taught, count, k=k, leave_one_out=alone)
    found = [Guesses("", every, gold, near, count)]
    if regression:
        held = split(gold, seed) if alone else every
        learns = np.setdiff1d(every, held) if alone else np.arange(len(taught))
        # Labels that only the texts to be judged have are no classes of the regression.
        known, classes = np.unique(taught[learns], return_inverse=True)
        fitted = logistic.fit(unit(corpus)[learns], classes, len(known))
        guessed = known[fitted.classes(unit(queries)[held])]
        found.append(Guesses("logistic_", held, gold[held], guessed, count))
    return Judgement(
        len(gold), lambda weights: {name: value for each in found for name, value in each.figures(weights).items()}
    )


def require_learnable(labels: Sequence[str], training: Sequence[str] | None = None, *, regression: bool = True) -> None:
    """Raise CallError where there is nothing to learn: one label, or no label with a text to learn and one to judge."""
    learnt, where = (labels, "") if training is None else (training, " in the training texts")
    if len(set(learnt)) < 2:
        raise CallError(f"Classification needs at least 2 different labels; found {len(set(learnt))}{where}")
    if training is not None:
        if not set(labels) & set(training):
            raise CallError("No label of the texts is in the training texts, so none could be guessed")
    elif regression and len(set(labels)) == len(labels):
        raise CallError(f"Classification needs labels that texts share; each of the {len(labels):,} has one of its own")


def split(gold: np.ndarray, seed: int = 0) -> np.ndarray:
    """The texts that are held out, sorted: a fifth of each label's, at least one and never all of them."""
    random = np.random.default_rng(seed)
    held = []
    for label in range(int(gold.max()) + 1):
        members = random.permutation(np.flatnonzero(gold == label))
        wanted = max(1, round(HELD_OUT * len(members)))
        held.append(members[: min(wanted, len(members) - 1)] if len(members) else members)
    return np.sort(np.concatenate(held))


@dataclass(frozen=True)
class ClassificationTask(Task):
    """Texts and their labels, with training texts of their own or without."""

    rows: Labelled | Split
    name = "classification"
    takes = "text, label"

    @classmethod
    def names_of(cls, ks: Sequence[int]) -> tuple[str, ...]:
        return FIGURES

    @property
    def counts(self) -> dict[str, int]:
        test, train = self._parts
        more = {"training texts": len(train)} if train else {}
        return {"texts": len(test.texts), "labels": len({*test.labels, *(train.labels if train else ())})} | more

    @property
    def sides(self) -> tuple[Side, Side]:
        test, train = self._parts
        return (test.texts, None), ((train or test).texts, None)

    def judge(self, coded: Coded, wanted: Collection[str]) -> Judgement:
        test, train = self._parts
        regression = any(name.startswith("logistic_") for name in wanted)
        labels = (test.labels, train.labels if train else None)
        return judge(coded.queries, coded.stored, *labels, seed=self.seed, regression=regression)

    def require_measurable(self) -> None:
        test, train = self._parts
        require_learnable(test.labels, train.labels if train else None)

    def beside(self, figure: str) -> tuple[str, ...]:
        return FIGURES if figure.startswith("logistic_") else FIGURES[:2]

    @property
    def _parts(self) -> tuple[Labelled, Labelled | None]:
        return (self.rows.test, self.rows.train) if isinstance(self.rows, Split) else (self.rows, None)
