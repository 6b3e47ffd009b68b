"""Engines: what one does, and which one is chosen. Importing this imports neither MLX nor torch."""

from mlx_metaembed.engine.choice import automatic_dtype, choose, installed, preferred
from mlx_metaembed.engine.protocol import Engine, Outputs, Rule, Total
from mlx_metaembed.engine.world import ALONE, World
from mlx_metaembed.heads.choices import DENSE

__all__ = [
    "ALONE",
    "DENSE",
    "Engine",
    "Outputs",
    "Rule",
    "Total",
    "World",
    "automatic_dtype",
    "choose",
    "installed",
    "preferred",
]
