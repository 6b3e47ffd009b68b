"""The pooled vectors of all texts, on disk: what a frozen trunk gives is computed once, and epochs cost the heads."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mlx_metaembed import batches, disk
from mlx_metaembed.engine import Engine
from mlx_metaembed.tokens import Store

WINDOW = 8_192
"""Texts that are sorted by length and embedded together."""


def stored(
    path: Path,
    engine: Engine,
    store: Store,
    *,
    pad_id: int,
    chunk_tokens: int,
    advance: Callable[[int], None],
) -> np.ndarray:
    """Vectors float32 [texts, D], memory-mapped from the folder `path`; embedded first where it is not there yet."""
    if not path.is_dir():
        with disk.replacing(path) as partial:
            _embed(partial / "vectors.npy", engine, store, pad_id, chunk_tokens, advance)
    return np.load(path / "vectors.npy", mmap_mode="r")


def _embed(
    file: Path, engine: Engine, store: Store, pad_id: int, chunk_tokens: int, advance: Callable[[int], None]
) -> None:
    out = None
    for first in range(0, len(store), WINDOW):
        texts = np.arange(first, min(first + WINDOW, len(store)))
        pieces, places = batches.chunks(store, texts, pad_id=pad_id, chunk_tokens=chunk_tokens)
        rows = []
        for chunk in pieces:
            rows.append(engine.numpy(engine.embed(chunk)))
            advance(chunk.texts)
        vectors = np.concatenate(rows)[places]
        if out is None:
            out = np.lib.format.open_memmap(file, "w+", np.float32, (len(store), vectors.shape[1]))
        out[texts] = vectors
    out.flush()
