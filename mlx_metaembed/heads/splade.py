"""SPLADE: the masked-language-model head on every token, pooled to one weight a word of the vocabulary.

arXiv:2109.10086; log1p_relu is OpenSearch's, arXiv:2504.14839. B texts, L tokens, D features, V words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mlx_metaembed.heads.output import Output
from mlx_metaembed.layers.activations import ACTIVATIONS
from mlx_metaembed.xp import Array, layer_norm, masked, namespace, relu

WORDS_AT_ONCE = 4096
"""Columns of the logits [B, L, V] that are held together."""


@dataclass(frozen=True)
class Splade:
    """Dense, activation, norm and decoder; the decoder is a tensor of the trunk where `tied` names one."""

    kind: ClassVar[str] = "splade"
    on_tokens: ClassVar[bool] = True
    gives: ClassVar[str] = "sparse"
    in_features: int
    vocabulary: int
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12
    biases: tuple[str, ...] = ("dense", "norm", "decoder")
    tied: str = ""
    pooling_strategy: str = "max"
    activation_function: str = "relu"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        wide, words = self.in_features, self.vocabulary
        shapes = {"dense.weight": (wide, wide), "norm.weight": (wide,)}
        shapes |= {} if self.tied else {"decoder.weight": (words, wide)}
        return shapes | {f"{part}.bias": (words if part == "decoder" else wide,) for part in self.biases}

    def __call__(self, weights: Mapping[str, Array], states: Array, ids: Array, mask: Array) -> Array:
        """States [B, L, D] and mask bool [B, L] to weights float32 [B, V], none below 0; `ids` do not matter."""
        xp = namespace(states)
        x = xp.matmul(xp.astype(states, xp.float32), weights["dense.weight"].T)
        x = ACTIVATIONS[self.hidden_act](x + weights["dense.bias"] if "dense" in self.biases else x)
        x = layer_norm(x, weights["norm.weight"], weights.get("norm.bias"), self.layer_norm_eps)
        blocks = [
            self._pooled(weights, x, mask[:, :, None], slice(first, min(first + WORDS_AT_ONCE, self.vocabulary)))
            for first in range(0, self.vocabulary, WORDS_AT_ONCE)
        ]
        return xp.concatenate(blocks, axis=1)

    def output(self, values: Array, ids: np.ndarray, mask: np.ndarray) -> Output:
        """What the call gave [B, V], as losses take it: by word."""
        return Output("sparse", values)

    def sparse(self, output: np.ndarray, ids: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """What the call gave [B, V], as each text's ids and weights."""
        return [(np.flatnonzero(row), row[np.flatnonzero(row)]) for row in output]

    def _pooled(self, weights: Mapping[str, Array], x: Array, mask: Array, words: slice) -> Array:
        """The weights of some words, [B, W]."""
        xp = namespace(x)
        logits = xp.matmul(x, xp.astype(weights["decoder.weight"][words], xp.float32).T)
        if "decoder" in self.biases:
            logits = logits + weights["decoder.bias"][words]
        if self.pooling_strategy == "max":
            # Both activations rise, so the largest logit gives the largest weight.
            return self._activated(xp.max(masked(logits, mask), axis=1))
        return xp.sum(self._activated(masked(logits, mask)), axis=1)

    def _activated(self, logits: Array) -> Array:
        xp = namespace(logits)
        once = xp.log1p(relu(logits))
        return xp.log1p(once) if self.activation_function == "log1p_relu" else once
