"""Training: one loop for both engines."""

from mlx_metaembed.training.callbacks import Callbacks, Result
from mlx_metaembed.training.run import train

__all__ = ["Callbacks", "Result", "train"]
