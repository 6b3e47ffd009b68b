"""SigLIP's text tower with its head. arXiv:2303.15343.

It was trained without a mask on texts padded to the last position, whose state is the text's: the tokenizer makes the
padding (see inputs/token_store.py), and the mask that comes in here leaves out only rows' ends that no text reaches.
"""

import mlx.core as mx
import mlx.nn as nn

from mlx_metaembed.on_mlx.tower import SUPPORTED, TextConfig, TextModel

Config = TextConfig

__all__ = ["SUPPORTED", "Config", "Encoder"]


class TextModelWithHead(TextModel):
    def __init__(self, config: Config):
        super().__init__(config)
        self.head = nn.Linear(config.hidden_size, config.projection_dim)

    def __call__(self, ids: mx.array, mask: mx.array) -> mx.array:
        return self.head(super().__call__(ids, mask))


class Encoder(nn.Module):
    """Token ids int32 [B, L] and mask bool [B, L] to states [B, L, projection_dim], behind the head."""

    def __init__(self, config: Config, _dropout: float = 0.0):
        super().__init__()
        self.text_model = TextModelWithHead(config)

    def __call__(self, ids: mx.array, mask: mx.array) -> mx.array:
        return self.text_model(ids, mask[:, None, None, :])
