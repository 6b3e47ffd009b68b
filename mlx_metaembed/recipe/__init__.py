"""A run's recipe: its settings and their defaults, their TOML file, and what may be wrong with them."""

from mlx_metaembed.recipe.checks import BELONGS
from mlx_metaembed.recipe.settings import Recipe, changed, default
from mlx_metaembed.recipe.toml import read, write
from mlx_metaembed.recipe.values import as_toml

__all__ = ["BELONGS", "Recipe", "as_toml", "changed", "default", "read", "write"]
