"""Training: one loop for both engines."""

from mlx_metaembed.train.loop import Result, Watch, train

__all__ = ["Result", "Watch", "train"]
