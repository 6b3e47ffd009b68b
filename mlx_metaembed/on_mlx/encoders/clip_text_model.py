"""CLIP's text tower with its projection in a file of its own, without the tower for images."""

from mlx_metaembed.on_mlx.encoders.clip import REACH, Config, Encoder

__all__ = ["REACH", "Config", "Encoder"]
