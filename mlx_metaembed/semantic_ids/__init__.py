"""Semantic IDs: a vector as a few digits, of which the first may have names and the others find the text again."""

from mlx_metaembed.semantic_ids.digit import Digit
from mlx_metaembed.semantic_ids.scheme import Scheme

__all__ = ["Digit", "Scheme"]
