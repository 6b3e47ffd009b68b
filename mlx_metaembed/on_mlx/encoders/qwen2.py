"""Qwen2 as an embedder: gte-Qwen2, Qodo-Embed-1.

Queries, keys and values have a bias, the output has none. Layers slide only where `use_sliding_window` says so,
whatever `sliding_window` holds. arXiv:2407.10671.
"""

from dataclasses import dataclass

from mlx_metaembed.on_mlx import decoder
from mlx_metaembed.on_mlx.decoder import SUPPORTED  # noqa: F401  (read by trunk.py)


@dataclass(frozen=True)
class Config(decoder.Config):
    use_sliding_window: bool = False
    sliding_window: int | None = 4096
    max_window_layers: int = 28
    layer_types: list[str] | None = None

    def windows(self) -> list[int | None]:
        if not self.use_sliding_window or self.sliding_window is None:
            return [None] * self.num_hidden_layers
        return decoder.listed_windows(self, self.layer_types, self.max_window_layers)

    def faults(self) -> list[str]:
        listed = decoder.layer_faults(self.layer_types, self.num_hidden_layers) if self.layer_types else []
        return [*super().faults(), *listed]


class Encoder(decoder.Decoder):
    def __init__(self, config: Config, dropout: float = 0.0):
        super().__init__(config, bias=True)
