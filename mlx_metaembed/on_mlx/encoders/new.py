"""Alibaba's `new`: gte-base, gte-large and gte-multilingual v1.5. arXiv:2407.19669.

BERT's norms after each sublayer, rotary positions, gated MLPs; one matrix for queries, keys and values, one for the
gate and what passes it. Long contexts are stretched in the angles (`ntk`), at every length.
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from mlx_metaembed.config import ntk
from mlx_metaembed.on_mlx import rope
from mlx_metaembed.on_mlx.activations import ACTIVATIONS


@dataclass(frozen=True)
class Config:
    """The keys of config.json that the architecture reads."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    type_vocab_size: int = 1
    layer_norm_eps: float = 1e-12
    hidden_act: str = "gelu"
    rope_theta: float | None = None
    rope_scaling: dict | None = None
    rope_parameters: dict | None = None

    def stretched(self) -> dict | None:
        return ntk.declared({"rope_scaling": self.rope_scaling})

    def rope(self) -> dict:
        scaling = None if self.stretched() else self.rope_scaling
        return rope.settings(theta=self.rope_theta, scaling=scaling, parameters=self.rope_parameters)

    def faults(self) -> list[str]:
        wrong = rope.faults(self.rope())
        if not (self.rope_theta or (self.rope_parameters or {}).get("rope_theta")):
            wrong.append("rope_theta is missing, and so is rope_parameters")
        return wrong + ntk.faults({"rope_scaling": self.rope_scaling})


SUPPORTED = {
    "hidden_act": ("gelu", *sorted(set(ACTIVATIONS) - {"gelu"})),
    "position_embedding_type": ("rope",),
    "layer_norm_type": ("layer_norm",),
    "pack_qkv": (True,),
    "logn_attention_scale": (False, None),
}


class Embeddings(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        if config.type_vocab_size > 0:
            self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)

    def __call__(self, ids: mx.array) -> mx.array:
        x = self.word_embeddings(ids)
        if "token_type_embeddings" in self:
            x = x + self.token_type_embeddings.weight[0]
        return self.dropout(self.LayerNorm(x))


class Attention(nn.Module):
    def __init__(self, config: Config, turn: rope.Rope):
        super().__init__()
        self.heads = config.num_attention_heads
        self.turn = turn
        self.qkv_proj = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size)

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        batch, length, width = x.shape
        q, k, v = self.qkv_proj(x).reshape(batch, length, 3, self.heads, -1).transpose(2, 0, 3, 1, 4)
        scale = (width // self.heads) ** -0.5
        x = mx.fast.scaled_dot_product_attention(self.turn(q), self.turn(k), v, scale=scale, mask=mask)
        return self.o_proj(x.swapaxes(1, 2).reshape(batch, length, width))


class MLP(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.activation = config.hidden_act
        self.up_gate_proj = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size)
        self.dropout = nn.Dropout(dropout)

    def __call__(self, x: mx.array) -> mx.array:
        up, gate = mx.split(self.up_gate_proj(x), 2, axis=-1)
        return self.down_proj(self.dropout(ACTIVATIONS[self.activation](gate) * up))


class Layer(nn.Module):
    def __init__(self, config: Config, turn: rope.Rope, dropout: float):
        super().__init__()
        self.attention = Attention(config, turn)
        self.mlp = MLP(config, dropout)
        self.attn_ln = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp_ln = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        x = self.attn_ln(self.dropout(self.attention(x, mask)) + x)
        return self.mlp_ln(self.dropout(self.mlp(x)) + x)


class Layers(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        turn = rope.Rope(config.hidden_size // config.num_attention_heads, config.rope())
        if found := config.stretched():
            stretched = ntk.periods(turn.dims, config.rope()["rope_theta"], found["factor"], found.get("mixed_b"))
            turn.base, turn.periods = None, mx.array(stretched)
        self.layer = [Layer(config, turn, dropout) for _ in range(config.num_hidden_layers)]


class Encoder(nn.Module):
    """Token ids int32 [B, L] and mask bool [B, L] to states [B, L, hidden_size]."""

    def __init__(self, config: Config, dropout: float = 0.0):
        super().__init__()
        self.embeddings = Embeddings(config, dropout)
        self.encoder = Layers(config, dropout)

    def __call__(self, ids: mx.array, mask: mx.array) -> mx.array:
        x = self.embeddings(ids)
        for layer in self.encoder.layer:
            x = layer(x, mask[:, None, None, :])
        return x
