"""SPLADE: the masked-language-model head on every token, pooled to one weight a word of the vocabulary.

arXiv:2109.10086; log1p_relu is OpenSearch's, arXiv:2504.14839. B texts, L tokens, D features, V words, W of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mlx_metaembed.heads.output import Output
from mlx_metaembed.layers.activations import ACTIVATIONS
from mlx_metaembed.xp import Array, layer_norm, masked, namespace, relu

WORDS_AT_ONCE = 4096
"""Columns of the logits [B, L, V] that are held together."""
OF_HIDDEN = ("dense.", "norm.")
"""What the names of the weights begin with that come before the decoder."""
PullBack = Callable[[Array], tuple[Array, Array, Array]]


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
        return self.by_word(weights, self.hidden(weights, states), mask)

    def hidden(self, weights: Mapping[str, Array], states: Array) -> Array:
        """States [B, L, D] as the decoder takes them, float32, of the weights of OF_HIDDEN alone."""
        xp = namespace(states)
        x = xp.matmul(xp.astype(states, xp.float32), weights["dense.weight"].T)
        x = ACTIVATIONS[self.hidden_act](x + weights["dense.bias"] if "dense" in self.biases else x)
        return layer_norm(x, weights["norm.weight"], weights.get("norm.bias"), self.layer_norm_eps)

    def by_word(self, weights: Mapping[str, Array], x: Array, mask: Array) -> Array:
        """What `hidden` gave [B, L, D] to the weights of all words [B, V]."""
        blocks = [self.weigh(*self.decoder(weights, words), x, mask)[0] for words in self.blocks(WORDS_AT_ONCE)]
        return namespace(x).concatenate(blocks, axis=1)

    def blocks(self, width: int) -> list[slice]:
        """All words, `width` at a time."""
        return [slice(first, min(first + width, self.vocabulary)) for first in range(0, self.vocabulary, width)]

    def decoder(self, weights: Mapping[str, Array], words: slice) -> tuple[Array, Array | None]:
        """The decoder of some words [W, D] float32, and its bias [W] where it has one."""
        xp = namespace(weights["decoder.weight"])
        bias = weights["decoder.bias"][words] if "decoder" in self.biases else None
        return xp.astype(weights["decoder.weight"][words], xp.float32), bias

    def weigh(self, decoder: Array, bias: Array | None, x: Array, mask: Array) -> tuple[Array, PullBack]:
        """The weights [B, W] of a decoder's words, and the gradient at them to those at x, decoder and bias.

        Tokens with the largest logit of a word share its gradient evenly.
        """
        xp = namespace(x)
        logits = xp.matmul(x, decoder.T)
        logits = masked(logits if bias is None else logits + bias, mask[:, :, None])
        # Both activations rise, so the largest logit gives the largest weight.
        largest = self.pooling_strategy == "max"
        pooled = xp.max(logits, axis=1) if largest else logits
        weights = self._activated(pooled) if largest else xp.sum(self._activated(pooled), axis=1)

        def back(at: Array) -> tuple[Array, Array, Array]:
            if largest:
                found = logits == pooled[:, None, :]
                share = at * self._slope(pooled) / xp.sum(xp.astype(found, xp.float32), axis=1)
                at_logits = xp.where(found, share[:, None, :], 0.0)
            else:
                at_logits = at[:, None, :] * self._slope(logits)
            at_logits = at_logits.reshape(-1, at_logits.shape[-1])
            at_x, at_decoder = xp.matmul(at_logits, decoder), xp.matmul(at_logits.T, x.reshape(-1, x.shape[-1]))
            return at_x.reshape(x.shape), at_decoder, xp.sum(at_logits, axis=0)

        return weights, back

    def output(self, values: Array, ids: np.ndarray, mask: np.ndarray) -> Output:
        """What the call gave [B, V], as losses take it: by word."""
        return Output("sparse", values)

    def sparse(self, output: np.ndarray, ids: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """What the call gave [B, V], as each text's ids and weights."""
        return [(np.flatnonzero(row), row[np.flatnonzero(row)]) for row in output]

    def _activated(self, logits: Array) -> Array:
        xp = namespace(logits)
        once = xp.log1p(relu(logits))
        return xp.log1p(once) if self.activation_function == "log1p_relu" else once

    def _slope(self, logits: Array) -> Array:
        """That of the activation; 0 where nothing is above 0."""
        xp = namespace(logits)
        above = relu(logits)
        slope = xp.where(logits > 0, 1 / (1 + above), 0.0)
        return slope / (1 + xp.log1p(above)) if self.activation_function == "log1p_relu" else slope
