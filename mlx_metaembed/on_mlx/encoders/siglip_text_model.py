"""SigLIP's text tower in a file of its own, without the tower for images."""

from mlx_metaembed.on_mlx.encoders.siglip import REACH, Config, Encoder

__all__ = ["REACH", "Config", "Encoder"]
