"""Qwen3 as an embedder: Qwen3-Embedding.

Each head's queries and keys are normalized before they are turned, and `head_dim` is not hidden_size / heads.
arXiv:2506.05176.
"""

from dataclasses import dataclass

import mlx.nn as nn

from mlx_metaembed.on_mlx import decoder
from mlx_metaembed.on_mlx.decoder import SUPPORTED  # noqa: F401  (read by trunk.py)
from mlx_metaembed.on_mlx.encoders import qwen2


@dataclass(frozen=True)
class Config(qwen2.Config):
    attention_bias: bool = False


class Encoder(decoder.Decoder):
    def __init__(self, config: Config, dropout: float = 0.0):
        super().__init__(config, bias=config.attention_bias, out_bias=config.attention_bias, norms=nn.RMSNorm)
