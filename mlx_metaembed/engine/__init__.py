"""Engines: what one does, and which one is chosen. Importing this imports neither MLX nor torch."""

from mlx_metaembed.engine.choice import automatic_dtype, choose, installed, preferred
from mlx_metaembed.engine.protocol import Engine, Outputs, Rule, Total
from mlx_metaembed.heads.choices import DENSE

__all__ = [
    "DENSE",
    "Engine",
    "Outputs",
    "Rule",
    "Total",
    "automatic_dtype",
    "choose",
    "installed",
    "preferred",
]
