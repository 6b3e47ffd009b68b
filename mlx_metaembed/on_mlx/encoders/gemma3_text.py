"""Gemma 3 as an embedder: EmbeddingGemma.

Norms multiply by 1 + weight, before and after each sublayer; sliding layers turn by a base of their own. Its sums pass
float16's range, so they are float32 in every precision; the matrices are the weights'. arXiv:2509.20354.
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from mlx_metaembed.on_mlx import decoder, rope
from mlx_metaembed.on_mlx.activations import ACTIVATIONS
from mlx_metaembed.on_mlx.decoder import KINDS

THETAS = {"sliding_attention": 10_000.0, "full_attention": 1_000_000.0}


@dataclass(frozen=True)
class Config(decoder.Config):
    hidden_activation: str = "gelu_pytorch_tanh"
    query_pre_attn_scalar: float = 256
    sliding_window: int | None = 4096
    sliding_window_pattern: int = 6
    layer_types: list[str] | None = None
    rope_local_base_freq: float | None = None
    attention_bias: bool = False
    use_bidirectional_attention: bool | None = False

    def kinds(self) -> list[str]:
        """Each layer's kind; where none are listed, every sixth sees the whole text."""
        pattern = self.sliding_window_pattern
        return self.layer_types or [KINDS[(at + 1) % pattern == 0] for at in range(self.num_hidden_layers)]

    def windows(self) -> list[int | None]:
        # The window of both directions together, halved: what is nearer than half of it and one is seen.
        window = self.sliding_window // 2 + 1 if self.use_bidirectional_attention else self.sliding_window
        # transformers counts the edge in where `is_causal` is false, as in decoder.py.
        window = window if self.is_causal or window is None else window + 1
        return [window if kind == "sliding_attention" else None for kind in self.kinds()]

    def ropes(self) -> dict[str, dict]:
        """Each kind's settings. In the older form the scaling is that of the layers that see the whole text."""
        nested, scaling = self.rope_parameters or {}, self.rope_scaling
        full, local = (nested.get(kind) for kind in reversed(KINDS))
        theta = self.rope_theta or THETAS["full_attention"]
        local_theta = self.rope_local_base_freq or THETAS["sliding_attention"]
        return {
            "full_attention": rope.settings(
                theta=theta,
                scaling={**(full or {}), **(scaling or {})},
                parameters=None,
                positions=self.max_position_embeddings,
                apart=True,
            ),
            "sliding_attention": rope.settings(
                theta=local_theta,
                scaling=None,
                parameters=local,
                positions=self.max_position_embeddings,
                apart=True,
            ),
        }

    def faults(self) -> list[str]:
        wrong = [
            f"{kind}: {fault}"
            for kind, found in self.ropes().items()
            for fault in rope.faults(found, self.width, by_length=True)
        ]
        return [*wrong, *decoder.layer_faults(self.kinds(), self.num_hidden_layers)]


SUPPORTED = {
    "hidden_activation": ("gelu_pytorch_tanh", *sorted(set(ACTIVATIONS) - {"gelu_pytorch_tanh"})),
    "attn_logit_softcapping": (None,),
    "is_causal": (None, True, False),
}


class RMSNorm(nn.Module):
    """Divided by the root mean square, times 1 + weight; float32 out."""

    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight = mx.zeros(width)
        self.eps = eps

    def __call__(self, x: mx.array) -> mx.array:
        return mx.fast.rms_norm(x.astype(mx.float32), 1 + self.weight.astype(mx.float32), self.eps)


class HeadNorm(RMSNorm):
    """The same, in the dtype that came in."""

    def __call__(self, x: mx.array) -> mx.array:
        return super().__call__(x).astype(x.dtype)


class Layer(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        bias, scale = config.attention_bias, config.query_pre_attn_scalar**-0.5
        self.self_attn = decoder.Attention(config, bias=bias, out_bias=bias, norms=HeadNorm, scale=scale)
        self.mlp = decoder.MLP(config, config.hidden_activation)
        for name in ("input", "post_attention", "pre_feedforward", "post_feedforward"):
            setattr(self, f"{name}_layernorm", RMSNorm(config.hidden_size, config.rms_norm_eps))

    def __call__(self, x: mx.array, seen: mx.array, turn: decoder.Turn, dtype: mx.Dtype) -> mx.array:
        y = self.self_attn(self.input_layernorm(x).astype(dtype), seen, turn)
        x = x + self.post_attention_layernorm(y)
        y = self.mlp(self.pre_feedforward_layernorm(x).astype(dtype))
        return x + self.post_feedforward_layernorm(y)


class Encoder(nn.Module):
    """Token ids int32 [B, L] and mask bool [B, L] to states [B, L, hidden_size], after the last norm."""

    def __init__(self, config: Config, dropout: float = 0.0):
        super().__init__()
        self.causal = config.is_causal and not config.use_bidirectional_attention
        self._windows, self._kinds = config.windows(), config.kinds()
        self.scale = config.hidden_size**0.5
        found = config.ropes()
        self._turns = {kind: rope.Rope(config.width, found[kind]) for kind in KINDS}
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = [Layer(config) for _ in range(config.num_hidden_layers)]
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def __call__(self, ids: mx.array, mask: mx.array) -> mx.array:
        seen = {window: decoder.visible(mask, causal=self.causal, window=window) for window in set(self._windows)}
        words = self.embed_tokens(ids)
        # The scale is rounded to the weights' dtype, as the model was trained.
        x = (words * self.scale).astype(mx.float32)
        turns = {kind: turn.of(mask) for kind, turn in self._turns.items()}
        for layer, window, kind in zip(self.layers, self._windows, self._kinds, strict=True):
            x = layer(x, seen[window], turns[kind], words.dtype)
        return self.norm(x).astype(words.dtype)
