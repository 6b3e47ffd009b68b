"""Late interaction: a unit vector for every token, and MaxSim between two texts' vectors. arXiv:2004.12832.

MultiVector is BGE-M3's head (arXiv:2402.03216), Colbert what a PyLate folder declares. B texts, L tokens, D features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mlx_metaembed.folder.dense_files import dense_shapes
from mlx_metaembed.folder.module_types import LateInteraction
from mlx_metaembed.heads.linear import linear, linear_initial, linear_shapes
from mlx_metaembed.heads.output import Output
from mlx_metaembed.layers.dense import dense
from mlx_metaembed.xp import Array, masked, namespace, normalize


@dataclass(frozen=True)
class MultiVector:
    """One linear layer on every token but the first; a query's MaxSim is the mean over its tokens."""

    kind: ClassVar[str] = "multi_vector"
    on_tokens: ClassVar[bool] = True
    gives: ClassVar[str] = "tokens"
    mean: ClassVar[bool] = True
    in_features: int
    out_features: int

    def faults(self) -> list[str]:
        """What no vector can have."""
        return [] if self.out_features >= 1 else [f"out_features = {self.out_features}, expected 1 or more"]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return linear_shapes(self.out_features, self.in_features)

    def initial(self, seed: int) -> dict[str, np.ndarray]:
        """Weights drawn as torch.nn.Linear draws them, no bias."""
        return linear_initial(self.out_features, self.in_features, seed)

    def output(self, values: Array, ids: np.ndarray, mask: np.ndarray) -> Output:
        """What the call gave [B, L, D], as losses take it."""
        return Output("tokens", values, mask=self.scored(ids, mask), mean=True)

    def __call__(self, weights: Mapping[str, Array], states: Array, ids: Array, mask: Array) -> Array:
        """States [B, L, D] to unit vectors float32 [B, L, out_features]; ids and mask do not matter."""
        xp = namespace(states)
        return normalize(linear(weights, xp.astype(states, xp.float32)))

    def scored(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Which tokens count, bool [B, L]."""
        first = np.cumsum(mask, axis=1) == 1
        return mask & ~first


@dataclass(frozen=True)
class Colbert:
    """The Dense modules of a PyLate folder on every token; a query's MaxSim is the sum over its tokens."""

    kind: ClassVar[str] = "colbert"
    on_tokens: ClassVar[bool] = True
    gives: ClassVar[str] = "tokens"
    mean: ClassVar[bool] = False
    in_features: int
    declared: LateInteraction

    @property
    def out_features(self) -> int:
        return self.declared.dense[-1].out_features

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            f"{module.path}.{name}": shape
            for module in self.declared.dense
            for name, shape in dense_shapes(module).items()
        }

    def __call__(self, weights: Mapping[str, Array], states: Array, ids: Array, mask: Array) -> Array:
        """States [B, L, D] to unit vectors float32 [B, L, out_features]; ids and mask do not matter."""
        xp = namespace(states)
        x = xp.astype(states, xp.float32)
        for module in self.declared.dense:
            own = {name: weights[f"{module.path}.{name}"] for name in dense_shapes(module)}
            x = dense(module, own, x)
        return normalize(x)


def maxsim(queries: Array, query_mask: Array, documents: Array, document_mask: Array) -> Array:
    """Scores [Q, N]: for each query token its best document token, summed over the query's.

    Vectors [Q, Lq, D] and [N, Ld, D], masks bool [Q, Lq] and [N, Ld]; every document has at least one token.
    """
    xp = namespace(queries)
    rows, columns = queries.shape, documents.shape
    products = xp.matmul(queries.reshape(-1, rows[-1]), documents.reshape(-1, columns[-1]).T)
    products = products.reshape(rows[0], rows[1], columns[0], columns[1])
    best = xp.max(masked(products, document_mask[None, None]), axis=3)
    return xp.sum(xp.where(query_mask[:, :, None], best, xp.zeros_like(best)), axis=1)


def scores(queries: Sequence[np.ndarray], documents: Sequence[np.ndarray], *, mean: bool = False) -> np.ndarray:
    """MaxSim float32 [queries, documents] of texts' vectors [tokens, D], one document at a time.

    `mean` divides by the query's tokens, as BGE-M3 does. A document without tokens scores 0.
    """
    left, mask = _padded(queries)
    found = np.zeros((len(queries), len(documents)), np.float32)
    for at, document in enumerate(documents):
        if len(document):
            found[:, at] = maxsim(left, mask, document[None], np.ones((1, len(document)), bool))[:, 0]
    return found / np.maximum(mask.sum(axis=1, keepdims=True), 1) if mean else found


def _padded(texts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Vectors [B, L, D] with zeros, and which are real, bool [B, L]."""
    lengths = np.array([len(text) for text in texts], np.int64)
    width = texts[0].shape[1] if len(texts) else 1
    mask = np.arange(lengths.max(initial=1)) < lengths[:, None]
    found = np.zeros((*mask.shape, width), np.float32)
    found[mask] = np.concatenate(texts) if len(texts) else 0
    return found, mask
