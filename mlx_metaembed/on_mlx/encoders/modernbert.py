"""ModernBERT: gte-modernbert, modernbert-embed. arXiv:2412.13663.

Norms before each sublayer, gated MLPs, no biases; most layers see a window around each token, and turn by another
rotary base than those that see the whole text.
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from mlx_metaembed.on_mlx import rope
from mlx_metaembed.on_mlx.activations import ACTIVATIONS
from mlx_metaembed.on_mlx.decoder import Turn

FULL, LOCAL = "full_attention", "sliding_attention"
KINDS = (FULL, LOCAL)
THETAS = {FULL: 160_000.0, LOCAL: 10_000.0}
"""transformers' bases where the configuration has none."""


@dataclass(frozen=True)
class Config:
    """The keys of config.json that the architecture reads, in the older and in transformers 5's form."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int = 8192
    norm_eps: float = 1e-5
    norm_bias: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    hidden_activation: str = "gelu"
    local_attention: int = 128
    global_attn_every_n_layers: int = 3
    layer_types: list[str] | None = None
    global_rope_theta: float | None = None
    local_rope_theta: float | None = None
    rope_scaling: dict | None = None
    rope_parameters: dict | None = None

    def kinds(self) -> list[str]:
        """Each layer's kind; where none are listed, the first and then every third sees the whole text."""
        pattern = self.global_attn_every_n_layers
        return self.layer_types or [KINDS[at % pattern > 0] for at in range(self.num_hidden_layers)]

    def ropes(self) -> dict[str, dict]:
        """Each kind's settings; the nested form goes before the older one, as in transformers."""
        nested, older = self.rope_parameters or {}, {FULL: self.global_rope_theta, LOCAL: self.local_rope_theta}
        return {
            kind: rope.settings(
                theta=older[kind] or THETAS[kind],
                scaling=None,
                parameters={**(nested.get(kind) or {}), **(self.rope_scaling or {})},
                positions=self.max_position_embeddings,
                apart=True,
            )
            for kind in KINDS
        }

    @property
    def width(self) -> int:
        """Features of a head."""
        return self.hidden_size // self.num_attention_heads

    def faults(self) -> list[str]:
        wrong = [
            f"{kind}: {fault}"
            for kind, found in self.ropes().items()
            for fault in rope.faults(found, self.width, by_length=True)
        ]
        misplaced = sorted(set(self.rope_parameters or {}) - set(KINDS))
        wrong += [f"rope_parameters are for {name!r}, not for {' and '.join(KINDS)}" for name in misplaced]
        return wrong + [f"layer type {kind!r} is not supported" for kind in sorted(set(self.kinds()) - set(KINDS))]


SUPPORTED = {"hidden_activation": tuple(ACTIVATIONS)}


class Embeddings(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.norm = norm(config)
        self.drop = nn.Dropout(dropout)

    def __call__(self, ids: mx.array) -> mx.array:
        return self.drop(self.norm(self.tok_embeddings(ids)))


class Attention(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.heads = config.num_attention_heads
        self.Wqkv = nn.Linear(config.hidden_size, 3 * config.hidden_size, bias=config.attention_bias)
        self.Wo = nn.Linear(config.hidden_size, config.hidden_size, bias=config.attention_bias)

    def __call__(self, x: mx.array, seen: mx.array, some: mx.array | None, turn: Turn) -> mx.array:
        batch, length, width = x.shape
        q, k, v = self.Wqkv(x).reshape(batch, length, 3, self.heads, -1).transpose(2, 0, 3, 1, 4)
        scale = (width // self.heads) ** -0.5
        x = mx.fast.scaled_dot_product_attention(turn(q), turn(k), v, scale=scale, mask=seen)
        # What sees nothing gets nothing, as in torch: the mask tokens that ColBERT adds to a query have states too.
        x = x if some is None else mx.where(some, x, mx.zeros_like(x))
        return self.Wo(x.swapaxes(1, 2).reshape(batch, length, width))


class MLP(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.activation = config.hidden_activation
        self.Wi = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=config.mlp_bias)
        self.drop = nn.Dropout(dropout)
        self.Wo = nn.Linear(config.intermediate_size, config.hidden_size, bias=config.mlp_bias)

    def __call__(self, x: mx.array) -> mx.array:
        x, gate = mx.split(self.Wi(x), 2, axis=-1)
        return self.Wo(self.drop(ACTIVATIONS[self.activation](x) * gate))


class Layer(nn.Module):
    def __init__(self, config: Config, at: int, dropout: float):
        super().__init__()
        # The first layer's input comes from the embeddings' norm.
        if at:
            self.attn_norm = norm(config)
        self.attn = Attention(config)
        self.mlp_norm = norm(config)
        self.mlp = MLP(config, dropout)

    def __call__(self, x: mx.array, seen: mx.array, some: mx.array | None, turn: Turn) -> mx.array:
        x = x + self.attn(self.attn_norm(x) if "attn_norm" in self else x, seen, some, turn)
        return x + self.mlp(self.mlp_norm(x))


class Encoder(nn.Module):
    """Token ids int32 [B, L] and mask bool [B, L] to states [B, L, hidden_size]."""

    def __init__(self, config: Config, dropout: float = 0.0):
        super().__init__()
        self.kinds = config.kinds()
        self.reach = config.local_attention // 2
        self._turns = {kind: rope.Rope(config.width, found) for kind, found in config.ropes().items()}
        self.embeddings = Embeddings(config, dropout)
        self.layers = [Layer(config, at, dropout) for at in range(len(self.kinds))]
        self.final_norm = norm(config)

    def __call__(self, ids: mx.array, mask: mx.array) -> mx.array:
        x = self.embeddings(ids)
        seen = {FULL: (mask[:, None, None, :], None), LOCAL: around(mask, self.reach)}
        turns = {kind: turn.of(mask) for kind, turn in self._turns.items()}
        for layer, kind in zip(self.layers, self.kinds, strict=True):
            x = layer(x, *seen[kind], turns[kind])
        return self.final_norm(x)


def norm(config: Config) -> nn.LayerNorm:
    return nn.LayerNorm(config.hidden_size, eps=config.norm_eps, bias=config.norm_bias)


def around(mask: mx.array, reach: int) -> tuple[mx.array, mx.array]:
    """Which keys a token sees, bool [B, 1, L, L], real ones at most `reach` away; whether it sees any, [B, 1, L, 1].

    A masked token far from the text sees none. No row of a mask may be empty, so there it sees itself.
    """
    place = mx.arange(mask.shape[1])
    distance = mx.abs(place[:, None] - place[None, :])
    seen = (distance <= reach) & mask[:, None, None, :]
    some = mx.any(seen, axis=-1, keepdims=True)
    return seen | ((distance == 0) & ~some), some
