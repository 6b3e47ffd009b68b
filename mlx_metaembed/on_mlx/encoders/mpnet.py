"""MPNet: RoBERTa's positions, and a bias by relative distance that all layers share. arXiv:2004.09297.

There are no token types, and both tables of positions count: absolute in the embedding, relative in attention.
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from mlx_metaembed.on_mlx.encoders import bert
from mlx_metaembed.on_mlx.encoders.roberta import positions
from mlx_metaembed.on_mlx.encoders.t5 import buckets

MAX_DISTANCE = 128
"""Distances from here on share the last bucket."""
PADDING_IDX = 1
"""Fixed in the architecture, whatever the tokenizer's pad token is."""


@dataclass(frozen=True, kw_only=True)
class Config(bert.Config):
    """BERT's keys, and the number of relative buckets."""

    type_vocab_size: int = 0
    relative_attention_num_buckets: int = 32


SUPPORTED = {
    "hidden_act": bert.SUPPORTED["hidden_act"],
    "relative_attention_num_buckets": (32,),
    "is_decoder": (False,),
}


class Embeddings(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)

    def __call__(self, ids: mx.array) -> mx.array:
        x = self.word_embeddings(ids) + self.position_embeddings(positions(ids, PADDING_IDX))
        return self.dropout(self.LayerNorm(x))


class SelfAttention(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.heads = config.num_attention_heads
        for name in "qkvo":
            setattr(self, name, nn.Linear(config.hidden_size, config.hidden_size))

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        batch, length, width = x.shape
        q, k, v = (layer(x).reshape(batch, length, self.heads, -1).swapaxes(1, 2) for layer in (self.q, self.k, self.v))
        scale = (width // self.heads) ** -0.5
        if self.training:
            # The fused kernels give no gradient for what is added to the scores.
            x = mx.softmax((q * scale) @ k.swapaxes(-1, -2) + mask, axis=-1, precise=True) @ v
        else:
            x = mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=mask)
        return self.o(x.swapaxes(1, 2).reshape(batch, length, width))


class Attention(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.attn = SelfAttention(config)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        return self.LayerNorm(self.dropout(self.attn(x, mask)) + x)


class Layer(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.attention = Attention(config, dropout)
        self.intermediate = bert.Intermediate(config)
        self.output = bert.AddAndNorm(config.intermediate_size, config, dropout)

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        x = self.attention(x, mask)
        return self.output(self.intermediate(x), x)


class Layers(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.layer = [Layer(config, dropout) for _ in range(config.num_hidden_layers)]
        self.relative_attention_bias = nn.Embedding(config.relative_attention_num_buckets, config.num_attention_heads)

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        rows = mx.array(buckets(x.shape[1], self.relative_attention_bias.weight.shape[0], MAX_DISTANCE))
        bias = self.relative_attention_bias(rows).transpose(2, 0, 1)[None]
        # One additive mask of the states' dtype carries both. Not -inf: a row may hold nothing but padding.
        mask = mx.where(mask[:, None, None, :], bias, mx.finfo(x.dtype).min / 2)
        for layer in self.layer:
            x = layer(x, mask)
        return x


class Encoder(nn.Module):
    """Token ids int32 [B, L] and mask bool [B, L] to states [B, L, hidden_size]."""

    def __init__(self, config: Config, dropout: float = 0.0):
        super().__init__()
        self.embeddings = Embeddings(config, dropout)
        self.encoder = Layers(config, dropout)

    def __call__(self, ids: mx.array, mask: mx.array) -> mx.array:
        return self.encoder(self.embeddings(ids), mask)
