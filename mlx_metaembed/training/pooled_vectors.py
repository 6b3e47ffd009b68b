"""The pooled vectors of all texts, on disk: what a frozen trunk gives is computed once, and epochs cost the heads."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from mlx_metaembed.engine import DENSE, Engine
from mlx_metaembed.files import checksums, npy
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.parameters import dense_weights
from mlx_metaembed.inputs import chunks
from mlx_metaembed.inputs.token_store import Store
from mlx_metaembed.layers.pooling import finish

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
    engine: Engine,
    store: Store,
    *,
    pad_id: int,
    chunk_tokens: int,
    advance: Callable[[int], None],
    chosen: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
    """The vectors of the texts in order, or of those by the numbers `chosen`, so many at a time."""
    numbers = np.arange(len(store)) if chosen is None else chosen
    for first in range(0, len(numbers), WINDOW):
        texts = numbers[first : first + WINDOW]
        pieces, places = chunks.chunks(store, texts, pad_id=pad_id, chunk_tokens=chunk_tokens)
        rows = []
        for chunk in pieces:
            rows.append(engine.numpy(engine.embed(chunk)[DENSE]))
            advance(chunk.texts)
        yield np.concatenate(rows)[places].astype(np.float32, copy=False)


def finished(
    engine: Engine, folder: ModelFolder, pooled: np.ndarray, chosen: np.ndarray, *, advance: Callable[[int], None]
) -> Iterator[np.ndarray]:
    """Rows of pooled vectors [texts, D] through the Dense modules as they stand, so many at a time."""
    masters, _ = engine.save()
    arrays = {name: engine.array(array) for name, array in masters.items() if name.startswith("dense.")}
    weights = dense_weights(folder, arrays)
    for first in range(0, len(chosen), WINDOW):
        part = np.array(pooled[chosen[first : first + WINDOW]])
        yield engine.numpy(finish(engine.array(part), folder, weights))
        advance(len(part))
