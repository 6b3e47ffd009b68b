"""Longformer: RoBERTa whose tokens see a window of each layer's own width. arXiv:2004.05150.

No token has global attention: neither transformers' AutoModel nor sentence-transformers gives it to one unasked, so
embedders are made without it. Its projections (`query_global` and so on) are no part of the trunk and stay in the file.
"""

from dataclasses import asdict, dataclass

import mlx.core as mx
import mlx.nn as nn

from mlx_metaembed.config.spellings import window_faults
from mlx_metaembed.on_mlx.decoder import visible
from mlx_metaembed.on_mlx.encoders import bert, roberta

SUPPORTED = {"hidden_act": bert.SUPPORTED["hidden_act"]}


@dataclass(frozen=True, kw_only=True)
class Config(roberta.Config):
    """RoBERTa's keys, and the windows: tokens on both sides together, one number or one a layer."""

    attention_window: int | list[int] = 512

    def windows(self) -> list[int]:
        """The window of each layer."""
        given = self.attention_window
        return [given] * self.num_hidden_layers if isinstance(given, int) else given

    def faults(self) -> list[str]:
        """What cannot be computed, one line each."""
        return window_faults(asdict(self))


class SelfAttention(bert.SelfAttention):
    """Attention to `side` tokens on each side; memory grows with length times window, not with length squared."""

    def __init__(self, config: Config, window: int):
        super().__init__(config)
        self.side = window // 2

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        batch, length, width = x.shape
        layers = (self.query, self.key, self.value)
        q, k, v = (layer(x).reshape(batch, length, self.heads, -1) for layer in layers)
        if length <= 3 * self.side:
            # The blocks would hold as much as the whole.
            seen = visible(mask, causal=False, window=self.side + 1)
        else:
            seen = in_blocks(mask, self.side)
            q, k, v = blocks(q, self.side), around(k, self.side), around(v, self.side)
        q, k, v = (each.swapaxes(1, 2) for each in (q, k, v))
        x = mx.fast.scaled_dot_product_attention(q, k, v, scale=(width // self.heads) ** -0.5, mask=seen)
        return x.swapaxes(1, 2).reshape(batch, -1, width)[:, :length]


def padded(x: mx.array, side: int, more: int = 0) -> mx.array:
    """Zeros behind [B, L, ...] up to a multiple of `side`, and `more` times `side` before and behind that."""
    spare = -x.shape[1] % side
    return mx.pad(x, [(0, 0), (more * side, spare + more * side), *[(0, 0)] * (x.ndim - 2)])


def blocks(x: mx.array, side: int) -> mx.array:
    """Blocks of `side` tokens: [B, L, ...] to [B * N, side, ...]."""
    return padded(x, side).reshape(-1, side, *x.shape[2:])


def around(x: mx.array, side: int) -> mx.array:
    """Each block with the one before and the one behind it: [B, L, ...] to [B * N, 3 * side, ...]."""
    wide = padded(x, side, more=1)
    count = wide.shape[1] // side - 2
    parts = [wide[:, at * side : (at + count) * side].reshape(-1, side, *x.shape[2:]) for at in range(3)]
    return mx.concatenate(parts, axis=1)


def in_blocks(mask: mx.array, side: int) -> mx.array:
    """Which tokens of `around` each token of `blocks` sees, bool [B * N, 1, side, 3 * side]; if none, itself."""
    distance = mx.arange(3 * side)[None, :] - side - mx.arange(side)[:, None]
    seen = (mx.abs(distance) <= side) & around(mask, side)[:, None, :]
    return (seen | ((distance == 0) & ~mx.any(seen, axis=-1, keepdims=True)))[:, None]


class Attention(bert.Attention):
    def __init__(self, config: Config, dropout: float, window: int):
        super().__init__(config, dropout)
        self.self = SelfAttention(config, window)


class Layer(bert.Layer):
    def __init__(self, config: Config, dropout: float, window: int):
        super().__init__(config, dropout)
        self.attention = Attention(config, dropout, window)


class Layers(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        self.layer = [Layer(config, dropout, window) for window in config.windows()]

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        for layer in self.layer:
            x = layer(x, mask)
        return x


class Encoder(nn.Module):
    """Token ids int32 [B, L] and mask bool [B, L] to states [B, L, hidden_size]."""

    def __init__(self, config: Config, dropout: float = 0.0):
        super().__init__()
        self.embeddings = roberta.Embeddings(config, dropout)
        self.encoder = Layers(config, dropout)

    def __call__(self, ids: mx.array, mask: mx.array) -> mx.array:
        return self.encoder(self.embeddings(ids), mask)
