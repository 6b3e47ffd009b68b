"""CLIP's text tower with its projection; a text is pooled where it ends (see inputs/token_store.py). arXiv:2103.00020.

Every state is projected: the pooled one is then the text's vector. The tower for images is on_mlx/images.py's.
"""

import mlx.core as mx
import mlx.nn as nn

from mlx_metaembed.on_mlx.decoder import visible
from mlx_metaembed.on_mlx.tower import SUPPORTED, TextConfig, TextModel

Config = TextConfig

__all__ = ["SUPPORTED", "Config", "Encoder"]


class Encoder(nn.Module):
    """Token ids int32 [B, L] and mask bool [B, L] to projected states [B, L, projection_dim]."""

    def __init__(self, config: Config, _dropout: float = 0.0):
        super().__init__()
        self.text_model = TextModel(config)
        self.text_projection = nn.Linear(config.hidden_size, config.projection_dim, bias=False)

    def __call__(self, ids: mx.array, mask: mx.array) -> mx.array:
        return self.text_projection(self.text_model(ids, visible(mask, causal=True, window=None)))
