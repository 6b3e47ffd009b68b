"""The pooled vectors of all texts, on disk: what a frozen trunk gives is computed once, and epochs cost the heads."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from mlx_metaembed.engine import DENSE, Engine
from mlx_metaembed.files import checksums, npy
from mlx_metaembed.inputs import chunks
from mlx_metaembed.inputs.token_store import Store

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
    note: Callable[[str], None],
) -> np.ndarray:
    """Vectors float32 [texts, D], memory-mapped from the folder `path`; embedded first where it is not there whole.

    `note` hears of a damaged one.
    """

    def make(partial: Path) -> None:
        windows = embedded(engine, store, pad_id=pad_id, chunk_tokens=chunk_tokens, advance=advance)
        npy.save_rows(partial / "vectors.npy", windows, len(store))

    checksums.kept(path, make, note)
    return np.load(path / "vectors.npy", mmap_mode="r")


def embedded(
    engine: Engine, store: Store, *, pad_id: int, chunk_tokens: int, advance: Callable[[int], None]
) -> Iterator[np.ndarray]:
    """The vectors of the texts in order, so many at a time."""
    for first in range(0, len(store), WINDOW):
        texts = np.arange(first, min(first + WINDOW, len(store)))
        pieces, places = chunks.chunks(store, texts, pad_id=pad_id, chunk_tokens=chunk_tokens)
        rows = []
        for chunk in pieces:
            rows.append(engine.numpy(engine.embed(chunk)[DENSE]))
            advance(chunk.texts)
        yield np.concatenate(rows)[places].astype(np.float32, copy=False)
