"""Heads: what stands on the trunk. Frozen dataclasses: fields = JSON, shapes() = weights, call = mathematics.

A head holds no arrays: its weights come in as a dict of names to arrays of whichever engine runs, so that one text
serves both. Heads that are `on_tokens` take every token's state, the others the model's vectors; `gives` says what
comes out (heads/output.py).
"""

from mlx_metaembed.heads.files import (
    HEADS,
    CodeHead,
    Head,
    SparseHead,
    TokenHead,
    VectorHead,
    every,
    listed,
    read,
    write,
)
from mlx_metaembed.heads.fsq import Fsq, level_words, parse_levels
from mlx_metaembed.heads.lexical import Lexical
from mlx_metaembed.heads.linear import Classification, Regression
from mlx_metaembed.heads.rvq import Rvq
from mlx_metaembed.heads.splade import Splade
from mlx_metaembed.heads.token_vectors import Colbert, MultiVector

__all__ = [
    "HEADS",
    "Classification",
    "CodeHead",
    "Colbert",
    "Fsq",
    "Head",
    "Lexical",
    "MultiVector",
    "Regression",
    "Rvq",
    "SparseHead",
    "Splade",
    "TokenHead",
    "VectorHead",
    "every",
    "level_words",
    "listed",
    "parse_levels",
    "read",
    "write",
]
