"""BERT and its kin with absolute positions: MiniLM, bge, e5, gte.

Attribute names are the checkpoint's, so that weights load without renaming. arXiv:1810.04805.
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from mlx_metaembed.on_mlx.activations import ACTIVATIONS


@dataclass(frozen=True)
class Config:
    """The keys of config.json that the architecture reads."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    hidden_act: str = "gelu"


SUPPORTED = {
    "hidden_act": tuple(ACTIVATIONS),
    "position_embedding_type": ("absolute",),
    "is_decoder": (False,),
}
"""Values that this encoder computes, by key; the first is the default."""


class Embeddings(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)

    def __call__(self, ids: mx.array) -> mx.array:
        x = self.word_embeddings(ids) + self.position_embeddings.weight[: ids.shape[1]]
        # A single text has type 0 throughout.
        return self.dropout(self.LayerNorm(x + self.token_type_embeddings.weight[0]))


class SelfAttention(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.heads = config.num_attention_heads
        self.query = nn.Linear(config.hidden_size, config.hidden_size)
        self.key = nn.Linear(config.hidden_size, config.hidden_size)
        self.value = nn.Linear(config.hidden_size, config.hidden_size)

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        batch, length, width = x.shape
        layers = (self.query, self.key, self.value)
        q, k, v = (layer(x).reshape(batch, length, self.heads, -1).swapaxes(1, 2) for layer in layers)
        x = mx.fast.scaled_dot_product_attention(q, k, v, scale=(width // self.heads) ** -0.5, mask=mask)
        return x.swapaxes(1, 2).reshape(batch, length, width)


class AddAndNorm(nn.Module):
    """Dense, dropout, residual, norm: the second half of both sublayers."""

    def __init__(self, width: int, config: Config, dropout: float):
        super().__init__()
        self.dense = nn.Linear(width, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)

    def __call__(self, x: mx.array, residual: mx.array) -> mx.array:
        return self.LayerNorm(self.dropout(self.dense(x)) + residual)


class Attention(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.self = SelfAttention(config)
        self.output = AddAndNorm(config.hidden_size, config, dropout)

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        return self.output(self.self(x, mask), x)


class Intermediate(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.intermediate_size)
        self.activation = config.hidden_act

    def __call__(self, x: mx.array) -> mx.array:
        return ACTIVATIONS[self.activation](self.dense(x))


class Layer(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.attention = Attention(config, dropout)
        self.intermediate = Intermediate(config)
        self.output = AddAndNorm(config.intermediate_size, config, dropout)

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        x = self.attention(x, mask)
        return self.output(self.intermediate(x), x)


class Layers(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.layer = [Layer(config, dropout) for _ in range(config.num_hidden_layers)]

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        for layer in self.layer:
            x = layer(x, mask[:, None, None, :])
        return x


class Encoder(nn.Module):
    """Token ids int32 [B, L] and mask bool [B, L] to states [B, L, hidden_size]."""

    def __init__(self, config: Config, dropout: float = 0.0):
        super().__init__()
        self.embeddings = Embeddings(config, dropout)
        self.encoder = Layers(config, dropout)

    def __call__(self, ids: mx.array, mask: mx.array) -> mx.array:
        return self.encoder(self.embeddings(ids), mask)
