"""A SPLADE model's weights of words, stored and computed."""

from pathlib import Path

import numpy as np
from arrays import stored
from states import GOLDEN
from tiny import TEXTS

from mlx_metaembed.embedder import load

WORDS = np.arange(120)
BERT = GOLDEN / "splade_bert"


def expected(family: str = "splade_bert") -> np.ndarray:
    return stored(GOLDEN / family / "expected_heads.npz")["weights"]


def encoded(path: Path, engine: str, **settings: object) -> np.ndarray:
    return load(path, engine=engine, **settings).encode_sparse(TEXTS).over(WORDS)
