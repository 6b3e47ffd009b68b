"""Training: one loop for both engines."""

from mlx_metaembed.train.loop import train
from mlx_metaembed.train.watch import Result, Watch

__all__ = ["Result", "Watch", "train"]
