"""Clustering: do k-means' clusters of the vectors, as many as there are labels, agree with the labels?

V-measure is the harmonic mean of homogeneity (a cluster has one label) and completeness (a label is in one cluster);
Rosenberg and Hirschberg 2007.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.data.rows import Labelled
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import kmeans
from mlx_metaembed.evaluate.coded import Coded
from mlx_metaembed.evaluate.judgement import Judgement, Weights
from mlx_metaembed.evaluate.task import Side, Task

FIGURES = ("v_measure", "homogeneity", "completeness")


def judge(vectors: np.ndarray, labels: Sequence[str], *, seed: int = 0) -> Judgement:
    """`v_measure`, `homogeneity` and `completeness` in 0..1 of vectors [n, D] at length 1; draws keep the clusters.

    Raises CallError as `require_several` does.
    """
    require_several(labels)
    names, gold = np.unique(np.asarray(labels), return_inverse=True)
    return agreement(gold, kmeans.clusters(unit(vectors), len(names), seed=seed))


def agreement(gold: np.ndarray, found: np.ndarray) -> Judgement:
    """The same of labels [n] and clusters [n], whole numbers both."""
    shape = (int(gold.max()) + 1, int(found.max()) + 1)
    place = gold * shape[1] + found

    def figures(weights: Weights) -> dict[str, float]:
        counts = np.bincount(place, weights=weights, minlength=shape[0] * shape[1]).reshape(shape)
        both, of_gold, of_found = (_entropy(each) for each in (counts.ravel(), counts.sum(axis=1), counts.sum(axis=0)))
        shared = of_gold + of_found - both
        homogeneity = shared / of_gold if of_gold > 0 else 1.0
        completeness = shared / of_found if of_found > 0 else 1.0
        total = homogeneity + completeness
        v = 2 * homogeneity * completeness / total if total > 0 else 0.0
        values = {"v_measure": v, "homogeneity": homogeneity, "completeness": completeness}
        return {name: float(np.clip(value, 0, 1)) for name, value in values.items()}

    return Judgement(len(gold), figures)


def require_several(labels: Sequence[str]) -> None:
    """Raise CallError where all labels are alike, or every text has one of its own."""
    count = len(set(labels))
    if count < 2:
        raise CallError(f"Clustering needs at least 2 different labels; found {count}")
    if count == len(labels):
        raise CallError(f"Clustering needs labels that texts share; each of the {count:,} texts has one of its own")


def _entropy(counts: np.ndarray) -> float:
    """The entropy of counts, in nats."""
    shares = counts[counts > 0] / counts.sum()
    return float(-np.sum(shares * np.log(shares)))


@dataclass(frozen=True)
class ClusteringTask(Task):
    """Texts and their labels, of which the clusters know only how many there are."""

    rows: Labelled
    name = "clustering"
    takes = "text, label"

    @classmethod
    def names_of(cls, ks: Sequence[int]) -> tuple[str, ...]:
        return FIGURES

    @property
    def counts(self) -> dict[str, int]:
        return {"texts": len(self.rows.texts), "labels": len(set(self.rows.labels))}

    @property
    def sides(self) -> tuple[Side, Side]:
        return (self.rows.texts, None), (self.rows.texts, None)

    def judge(self, coded: Coded, wanted: Collection[str]) -> Judgement:
        return judge(coded.stored, self.rows.labels, seed=self.seed)

    def require_measurable(self) -> None:
        require_several(self.rows.labels)
