"""Vectors of texts that were embedded before: in an SQLite file, or on a Redis server."""

from mlx_metaembed.vector_cache.cache import Counts, VectorCache
from mlx_metaembed.vector_cache.places import HOURS, open_cache

__all__ = ["HOURS", "Counts", "VectorCache", "open_cache"]
