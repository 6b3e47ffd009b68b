"""The encoder half of T5: sentence-t5, gtr, instructor; T5 and T5 v1.1 (gated).

Scores are not scaled; one relative bias, the first layer's, serves all. Its sums pass float16's range: they are float32
in every precision, and in float16 the last wide product is as well, where transformers keeps `wo` in float32 and clips.
The decoder's weights and the second copies of the word embedding are left out by config/spellings.py. arXiv:1910.10683.
"""

import math
from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from mlx_metaembed.on_mlx.activations import ACTIVATIONS


@dataclass(frozen=True)
class Config:
    """The keys of config.json that the architecture reads."""

    vocab_size: int
    d_model: int
    d_kv: int
    d_ff: int
    num_layers: int
    num_heads: int
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    layer_norm_epsilon: float = 1e-6
    feed_forward_proj: str = "relu"


FEED_FORWARD = {
    "relu": "relu",
    **{name: name for name in ACTIVATIONS},
    **{f"gated-{name}": name for name in ACTIVATIONS},
    "gated-gelu": "gelu_new",
}
"""Activations by the words of `feed_forward_proj`; "gated-gelu" has always meant the approximation by tanh."""
SUPPORTED = {"feed_forward_proj": tuple(FEED_FORWARD)}
FLOOR = {mx.float32: -1e30, mx.bfloat16: -1e30, mx.float16: -3e4}
"""Added to the scores of padding: finite, so that no row becomes NaN."""


def buckets(length: int, count: int, most: int) -> np.ndarray:
    """The bias' row for each query and key, int64 [L, L]: half of the rows for keys after the query.

    Of each half, one half is for single distances, the other for ranges that grow with the logarithm up to `most`.
    """
    distance = np.arange(length)[None, :] - np.arange(length)[:, None]
    half = count // 2
    exact = half // 2
    size = np.abs(distance)
    # In float32, as those who trained it: the logarithm decides at the edges of the ranges.
    ratio = np.maximum(size, 1).astype(np.float32) / np.float32(exact)
    far = exact + (np.log(ratio) / np.float32(math.log(most / exact)) * np.float32(half - exact)).astype(np.int64)
    return (distance > 0) * half + np.where(size < exact, size, np.minimum(far, half - 1))


class SelfAttention(nn.Module):
    def __init__(self, config: Config, has_bias: bool):
        super().__init__()
        inner = config.num_heads * config.d_kv
        self.heads = config.num_heads
        self.q = nn.Linear(config.d_model, inner, bias=False)
        self.k = nn.Linear(config.d_model, inner, bias=False)
        self.v = nn.Linear(config.d_model, inner, bias=False)
        self.o = nn.Linear(inner, config.d_model, bias=False)
        if has_bias:
            self.relative_attention_bias = nn.Embedding(config.relative_attention_num_buckets, config.num_heads)

    def __call__(self, x: mx.array, bias: mx.array) -> mx.array:
        batch, length, _ = x.shape
        q, k, v = (layer(x).reshape(batch, length, self.heads, -1).swapaxes(1, 2) for layer in (self.q, self.k, self.v))
        if self.training:
            # The fused kernels give no gradient for what is added to the scores.
            x = mx.softmax(q @ k.swapaxes(-1, -2) + bias, axis=-1, precise=True) @ v
        else:
            x = mx.fast.scaled_dot_product_attention(q, k, v, scale=1.0, mask=bias)
        return self.o(x.swapaxes(1, 2).reshape(batch, length, -1))


class DenseReluDense(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.activation = FEED_FORWARD[config.feed_forward_proj]
        if config.feed_forward_proj.startswith("gated-"):
            self.wi_0 = nn.Linear(config.d_model, config.d_ff, bias=False)
            self.wi_1 = nn.Linear(config.d_model, config.d_ff, bias=False)
        else:
            self.wi = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.wo = nn.Linear(config.d_ff, config.d_model, bias=False)
        self.dropout = nn.Dropout(dropout)

    def __call__(self, x: mx.array) -> mx.array:
        act = ACTIVATIONS[self.activation]
        wide = mx.float32 if x.dtype == mx.float16 else x.dtype
        x = act(self.wi_0(x)).astype(wide) * self.wi_1(x) if "wi_0" in self else act(self.wi(x)).astype(wide)
        return self.wo(self.dropout(x))


class Sublayer(nn.Module):
    """Norm, the attention or the wide layers under the checkpoint's name for them, dropout, sum."""

    def __init__(self, name: str, inner: nn.Module, config: Config, dropout: float):
        super().__init__()
        self.name = name
        setattr(self, name, inner)
        self.layer_norm = nn.RMSNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.dropout = nn.Dropout(dropout)

    def __call__(self, x: mx.array, dtype: mx.Dtype, *more: mx.array) -> mx.array:
        return x + self.dropout(self[self.name](self.layer_norm(x).astype(dtype), *more).astype(mx.float32))


class Block(nn.Module):
    def __init__(self, config: Config, dropout: float, has_bias: bool):
        super().__init__()
        self.layer = [
            Sublayer("SelfAttention", SelfAttention(config, has_bias), config, dropout),
            Sublayer("DenseReluDense", DenseReluDense(config, dropout), config, dropout),
        ]

    def __call__(self, x: mx.array, bias: mx.array, dtype: mx.Dtype) -> mx.array:
        return self.layer[1](self.layer[0](x, dtype, bias), dtype)


class Stack(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.block = [Block(config, dropout, at == 0) for at in range(config.num_layers)]
        self.final_layer_norm = nn.RMSNorm(config.d_model, eps=config.layer_norm_epsilon)


class Encoder(nn.Module):
    """Token ids int32 [B, L] and mask bool [B, L] to states [B, L, d_model], after the last norm."""

    def __init__(self, config: Config, dropout: float = 0.0):
        super().__init__()
        self._buckets = (config.relative_attention_num_buckets, config.relative_attention_max_distance)
        self.shared = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = Stack(config, dropout)
        self.dropout = nn.Dropout(dropout)

    def __call__(self, ids: mx.array, mask: mx.array) -> mx.array:
        words = self.shared(ids)
        bias = self._bias(mask, words.dtype)
        x = self.dropout(words.astype(mx.float32))
        for block in self.encoder.block:
            x = block(x, bias, words.dtype)
        return self.dropout(self.encoder.final_layer_norm(x)).astype(words.dtype)

    def _bias(self, mask: mx.array, dtype: mx.Dtype) -> mx.array:
        """What is added to the scores, [B, heads, L, L]: the relative bias, and the floor at padded keys."""
        table = self.encoder.block[0].layer[0].SelfAttention.relative_attention_bias
        bias = table(mx.array(buckets(mask.shape[1], *self._buckets))).transpose(2, 0, 1)[None]
        return mx.where(mask[:, None, None, :], bias, FLOOR[dtype]).astype(dtype)
