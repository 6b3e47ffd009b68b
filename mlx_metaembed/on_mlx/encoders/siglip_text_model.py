"""SigLIP's text tower in a file of its own, without the tower for images."""

from mlx_metaembed.on_mlx.encoders.siglip import SUPPORTED, Config, Encoder

__all__ = ["SUPPORTED", "Config", "Encoder"]
