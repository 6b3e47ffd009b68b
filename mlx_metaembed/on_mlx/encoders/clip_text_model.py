"""CLIP's text tower with its projection in a file of its own, without the tower for images."""

from mlx_metaembed.on_mlx.encoders.clip import SUPPORTED, Config, Encoder

__all__ = ["SUPPORTED", "Config", "Encoder"]
