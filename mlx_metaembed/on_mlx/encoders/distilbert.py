"""DistilBERT: BERT's layers under other names, without token types. arXiv:1910.01108."""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from mlx_metaembed.on_mlx.activations import ACTIVATIONS

EPS = 1e-12
"""Fixed in the architecture."""


@dataclass(frozen=True)
class Config:
    """The keys of config.json that the architecture reads."""

    vocab_size: int
    dim: int
    n_layers: int
    n_heads: int
    hidden_dim: int
    max_position_embeddings: int = 512
    activation: str = "gelu"


SUPPORTED = {"activation": tuple(ACTIVATIONS)}


class Embeddings(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.dim)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.dim)
        self.LayerNorm = nn.LayerNorm(config.dim, eps=EPS)
        self.dropout = nn.Dropout(dropout)

    def __call__(self, ids: mx.array) -> mx.array:
        x = self.word_embeddings(ids) + self.position_embeddings.weight[: ids.shape[1]]
        return self.dropout(self.LayerNorm(x))


class Attention(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.heads = config.n_heads
        self.q_lin = nn.Linear(config.dim, config.dim)
        self.k_lin = nn.Linear(config.dim, config.dim)
        self.v_lin = nn.Linear(config.dim, config.dim)
        self.out_lin = nn.Linear(config.dim, config.dim)

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        batch, length, width = x.shape
        q, k, v = (
            layer(x).reshape(batch, length, self.heads, -1).swapaxes(1, 2)
            for layer in (self.q_lin, self.k_lin, self.v_lin)
        )
        x = mx.fast.scaled_dot_product_attention(q, k, v, scale=(width // self.heads) ** -0.5, mask=mask)
        return self.out_lin(x.swapaxes(1, 2).reshape(batch, length, width))


class FeedForward(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.lin1 = nn.Linear(config.dim, config.hidden_dim)
        self.lin2 = nn.Linear(config.hidden_dim, config.dim)
        self.activation = config.activation
        self.dropout = nn.Dropout(dropout)

    def __call__(self, x: mx.array) -> mx.array:
        return self.dropout(self.lin2(ACTIVATIONS[self.activation](self.lin1(x))))


class Layer(nn.Module):
    """Unlike BERT, what attention gives is not dropped before the residual."""

    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.attention = Attention(config)
        self.sa_layer_norm = nn.LayerNorm(config.dim, eps=EPS)
        self.ffn = FeedForward(config, dropout)
        self.output_layer_norm = nn.LayerNorm(config.dim, eps=EPS)

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        x = self.sa_layer_norm(self.attention(x, mask) + x)
        return self.output_layer_norm(self.ffn(x) + x)


class Layers(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.layer = [Layer(config, dropout) for _ in range(config.n_layers)]


class Encoder(nn.Module):
    """Token ids int32 [B, L] and mask bool [B, L] to states [B, L, dim]."""

    def __init__(self, config: Config, dropout: float = 0.0):
        super().__init__()
        self.embeddings = Embeddings(config, dropout)
        self.transformer = Layers(config, dropout)

    def __call__(self, ids: mx.array, mask: mx.array) -> mx.array:
        x = self.embeddings(ids)
        for layer in self.transformer.layer:
            x = layer(x, mask[:, None, None, :])
        return x
