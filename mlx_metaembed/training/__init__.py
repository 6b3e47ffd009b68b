"""Training: one loop for both engines."""

from mlx_metaembed.training.callbacks import Result, Watch
from mlx_metaembed.training.loop import train

__all__ = ["Result", "Watch", "train"]
