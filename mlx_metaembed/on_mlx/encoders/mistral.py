"""Mistral as an embedder: e5-mistral.

Every layer slides, over 4096 tokens where the configuration does not say; null means the whole text. arXiv:2310.06825.
"""

from dataclasses import dataclass

from mlx_metaembed.on_mlx import decoder
from mlx_metaembed.on_mlx.decoder import SUPPORTED  # noqa: F401  (read by trunk.py)


@dataclass(frozen=True)
class Config(decoder.Config):
    sliding_window: int | None = 4096

    def windows(self) -> list[int | None]:
        return [self.sliding_window] * self.num_hidden_layers


class Encoder(decoder.Decoder):
    def __init__(self, config: Config, dropout: float = 0.0):
        super().__init__(config)
