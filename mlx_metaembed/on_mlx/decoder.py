"""The decoder trunk that Qwen, Llama and Mistral share, as an encoder of texts: no cache, no language-model head.

mlx-lm's blocks are not reused: they take `hidden_act`, `is_causal` and Mistral's window as given, Llama's read one form
of the rope setting, and importing mlx_lm costs a second and lowers the process' file limit for good (the hard limit
too, which nobody can raise again). B texts, L tokens, H heads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from mlx_metaembed.on_mlx import rope
from mlx_metaembed.on_mlx.activations import ACTIVATIONS

SUPPORTED = {"hidden_act": ("silu", *sorted(set(ACTIVATIONS) - {"silu"}))}
KINDS = ("sliding_attention", "full_attention")
Turn = Callable[[mx.array], mx.array]
"""What turns queries or keys [B, H, L, width] by their places."""


@dataclass(frozen=True)
class Config:
    """The keys of config.json that all of them read."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    hidden_act: str = "silu"
    rms_norm_eps: float = 1e-6
    max_position_embeddings: int | None = None
    original_max_position_embeddings: int | None = None
    rope_theta: float | None = None
    rope_scaling: dict | None = None
    rope_parameters: dict | None = None
    is_causal: bool = True
    sliding_window: int | None = None

    @property
    def key_value_heads(self) -> int:
        return self.num_key_value_heads or self.num_attention_heads

    @property
    def width(self) -> int:
        """Features of a head."""
        return self.head_dim or self.hidden_size // self.num_attention_heads

    def rope(self) -> dict:
        return rope.settings(
            theta=self.rope_theta,
            scaling=self.rope_scaling,
            parameters=self.rope_parameters,
            positions=self.max_position_embeddings,
            trained=self.original_max_position_embeddings,
        )

    def windows(self) -> list[int | None]:
        """Each layer's sliding window in tokens; None where it sees the whole text."""
        return [None] * self.num_hidden_layers

    def faults(self) -> list[str]:
        """What cannot be computed, one line each."""
        return rope.faults(self.rope(), self.width, by_length=True)


def layer_faults(kinds: Sequence[str], count: int) -> list[str]:
    """What is wrong with the kinds that a configuration lists for its `count` layers."""
    wrong = [
        f"layer type {kind!r} is not supported; one of {', '.join(KINDS)}" for kind in sorted(set(kinds) - set(KINDS))
    ]
    if len(kinds) != count:
        wrong.append(f"layer_types lists {len(kinds)} layers, num_hidden_layers = {count}")
    return wrong


def listed_windows(config: Config, layer_types: Sequence[str] | None, sliding_from: int) -> list[int | None]:
    """The windows of a family that lists its layers' kinds, or says from which layer on they slide."""
    kinds = layer_types or [
        "sliding_attention" if at >= sliding_from else "full_attention" for at in range(config.num_hidden_layers)
    ]
    return [config.sliding_window if kind == "sliding_attention" else None for kind in kinds]


def visible(mask: mx.array, *, causal: bool, window: int | None) -> mx.array:
    """The keys that each query sees, bool [B, 1, L, L], or [B, 1, 1, L] where all see the same.

    `mask` is bool [B, L]. With a `window`, keys nearer than so many tokens are seen; without `causal`, on both sides.
    """
    keys = mask[:, None, None, :]
    if not causal and window is None:
        return keys
    places = mx.arange(mask.shape[1])
    distance = places[:, None] - places[None, :]
    seen = distance >= 0 if causal else distance == distance
    if window is not None:
        seen = seen & (mx.abs(distance) < window)
    seen = seen & keys
    # Padding far from any real token would see nothing, which some kernels answer with NaN: it sees itself.
    return seen | ((distance == 0) & ~mx.any(seen, axis=-1, keepdims=True))


class Attention(nn.Module):
    """Grouped-query attention; `norms` is the layer that normalizes each head's queries and keys, if there is one."""

    def __init__(
        self, config: Config, *, bias: bool, out_bias: bool, norms: type[nn.Module] | None, scale: float | None = None
    ):
        super().__init__()
        self.heads, self.key_value_heads = config.num_attention_heads, config.key_value_heads
        width = config.width
        self.scale = width**-0.5 if scale is None else scale
        self.q_proj = nn.Linear(config.hidden_size, self.heads * width, bias=bias)
        self.k_proj = nn.Linear(config.hidden_size, self.key_value_heads * width, bias=bias)
        self.v_proj = nn.Linear(config.hidden_size, self.key_value_heads * width, bias=bias)
        self.o_proj = nn.Linear(self.heads * width, config.hidden_size, bias=out_bias)
        if norms is not None:
            self.q_norm = norms(width, eps=config.rms_norm_eps)
            self.k_norm = norms(width, eps=config.rms_norm_eps)

    def __call__(self, x: mx.array, seen: mx.array, turn: Turn) -> mx.array:
        batch, length, _ = x.shape
        q = self.q_proj(x).reshape(batch, length, self.heads, -1)
        k = self.k_proj(x).reshape(batch, length, self.key_value_heads, -1)
        v = self.v_proj(x).reshape(batch, length, self.key_value_heads, -1).swapaxes(1, 2)
        if "q_norm" in self:
            q, k = self.q_norm(q), self.k_norm(k)
        q, k = turn(q.swapaxes(1, 2)), turn(k.swapaxes(1, 2))
        x = mx.fast.scaled_dot_product_attention(q, k, v, scale=self.scale, mask=seen)
        return self.o_proj(x.swapaxes(1, 2).reshape(batch, length, -1))


class MLP(nn.Module):
    def __init__(self, config: Config, activation: str, bias: bool = False):
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=bias)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=bias)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=bias)
        self.activation = activation

    def __call__(self, x: mx.array) -> mx.array:
        return self.down_proj(ACTIVATIONS[self.activation](self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, config: Config, attention: Attention, mlp: MLP):
        super().__init__()
        self.self_attn, self.mlp = attention, mlp
        self.input_layernorm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def __call__(self, x: mx.array, seen: mx.array, turn: Turn) -> mx.array:
        x = x + self.self_attn(self.input_layernorm(x), seen, turn)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """Token ids int32 [B, L] and mask bool [B, L] to states [B, L, hidden_size], after the last norm.

    The flags are what tells the families apart. They have no dropout of hidden states, here as in transformers.
    """

    def __init__(
        self,
        config: Config,
        *,
        bias: bool = False,
        out_bias: bool = False,
        mlp_bias: bool = False,
        norms: type[nn.Module] | None = None,
    ):
        super().__init__()
        self.causal, self._windows = config.is_causal, config.windows()
        self.turn = rope.Rope(config.width, config.rope())
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = [
            Layer(
                config,
                Attention(config, bias=bias, out_bias=out_bias, norms=norms),
                MLP(config, config.hidden_act, mlp_bias),
            )
            for _ in range(config.num_hidden_layers)
        ]
        self.norm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def __call__(self, ids: mx.array, mask: mx.array) -> mx.array:
        # transformers counts a window's own edge in where attention goes both ways, and not where it is causal.
        edge = 0 if self.causal else 1
        seen = {
            window: visible(mask, causal=self.causal, window=window and window + edge) for window in set(self._windows)
        }
        x, turn = self.embed_tokens(ids), self.turn.of(mask)
        for layer, window in zip(self.layers, self._windows, strict=True):
            x = layer(x, seen[window], turn)
        return self.norm(x)
