"""GIST: InfoNCE whose false negatives a guide leaves out, a model that does not train."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from mlx_metaembed.losses.directions import candidates_of
from mlx_metaembed.losses.guide import Guide, most_near
from mlx_metaembed.losses.held import tiles_bytes
from mlx_metaembed.losses.in_batch import Candidates, in_batch
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.scorers import scorer
from mlx_metaembed.losses.settings import not_above_zero, not_finite, setting, similarity, unknown
from mlx_metaembed.losses.teaching import TaughtScores, unit_vectors
from mlx_metaembed.losses.tiles import TILE
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import Array, constant, namespace

STRATEGIES = ("absolute", "relative")


@dataclass(frozen=True)
class Gist:
    """Cross entropy of the own positive among what the guide leaves: arXiv:2402.16829, section 3; the words are those
    of sentence-transformers' GISTEmbedLoss. Of several guides each leaves out what it takes for a false negative.
    """

    kind: ClassVar[str] = "gist"
    roles: ClassVar[tuple[str, ...]] = ("anchor", "positive")
    optional: ClassVar[tuple[str, ...]] = ("negative",)
    targets: ClassVar[tuple[str, ...]] = ("teacher.*",)
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code", "sparse", "tokens")
    several: ClassVar[bool] = False
    any_width: ClassVar[bool] = True
    least_rows: ClassVar[int] = 2
    temperature: float = setting(0.01, "Scores are divided by it.")
    margin_strategy: str = setting(
        "absolute",
        "What a negative must be below: the guide's cosine of the positive less margin, or that share.",
        STRATEGIES,
    )
    margin: float = setting(0.0, "How far below the positive's the guide's cosine of a negative must be.")
    contrast_anchors: bool = setting(True, "Other anchors are candidates too.")
    contrast_positives: bool = setting(True, "Other positives are candidates of the row's positive too.")
    similarity: str = similarity()

    def faults(self) -> list[str]:
        found = not_above_zero(self, "temperature") + not_finite(self, "margin")
        return found + unknown(self, "similarity", "margin_strategy")

    def held_bytes(self, sizes: Sizes) -> int:
        groups, texts = 1 + self.contrast_anchors + self.contrast_positives, sizes.rows + sizes.candidates
        guides = 8 * texts * sizes.teacher_features + 8 * groups * min(sizes.rows, TILE) * texts
        return tiles_bytes(sizes, groups) + guides

    def __call__(self, sample: Sample) -> Array:
        near = {role: unit_vectors(sample, role) for role in sample.outputs}

        def value(cut: Sample) -> Array:
            return in_batch(self._groups(cut, near), self.temperature)

        # The guides' vectors stay whole at all widths of the model's.
        return at_widths(value, sample)

    def _groups(self, sample: Sample, near: dict[str, list[Array]]) -> list[Candidates]:
        anchors, positives = near["anchor"], near["positive"]
        xp, rows = namespace(anchors[0]), len(anchors[0])
        own = [xp.sum(x * y, axis=-1, keepdims=True) for x, y in zip(anchors, positives, strict=True)]
        most = [most_near(each, self.margin_strategy, self.margin) for each in own]
        documents = positives
        if "negative" in near:
            documents = [xp.concatenate(both, axis=0) for both in zip(positives, near["negative"], strict=True)]

        def guided(found: Candidates, left: list[Array], right: list[Array]) -> Candidates:
            return replace(found, guides=tuple(map(Guide, map(TaughtScores, left, right), most)))

        first = candidates_of("query_to_doc", sample, self.similarity)
        target = constant(np.eye(*first.counted.shape, dtype=bool), first.counted)
        found = [guided(replace(first, positives=target), anchors, documents)]
        if self.contrast_anchors:
            found.append(guided(candidates_of("query_to_query", sample, self.similarity), anchors, anchors))
        if self.contrast_positives:
            texts = sample.outputs["positive"]
            counted = first.counted[:, :rows]
            apart = counted & counted.T & ~target[:, :rows]
            found.append(guided(Candidates(scorer(texts, [texts], self.similarity), apart), positives, positives))
        return found
