"""A run's recipe: its settings and their defaults, their TOML file, and what may be wrong with them."""

from mlx_metaembed.recipe.settings import BELONGS, Recipe, changed, default, read, toml, write

__all__ = ["BELONGS", "Recipe", "changed", "default", "read", "toml", "write"]
