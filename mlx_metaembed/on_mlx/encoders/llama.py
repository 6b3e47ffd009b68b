"""Llama as an embedder, Llama 3's stretched positions included.

Its biases, of attention and of the wide layers, are settings; no checkpoint of Meta's has them. arXiv:2407.21783.
"""

from dataclasses import dataclass

from mlx_metaembed.on_mlx import decoder
from mlx_metaembed.on_mlx.decoder import SUPPORTED  # noqa: F401  (read by trunk.py)


@dataclass(frozen=True)
class Config(decoder.Config):
    attention_bias: bool = False
    mlp_bias: bool = False


class Encoder(decoder.Decoder):
    def __init__(self, config: Config, dropout: float = 0.0):
        bias = config.attention_bias
        super().__init__(config, bias=bias, out_bias=bias, mlp_bias=config.mlp_bias)
