"""The cache: texts in, vectors out, of which only those are made that no store has.

A cache may only ever cost time. A row that is damaged is made anew; a store that fails is told of once and then left
alone, for writing alone where the disk is full.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.vector_cache import keys, rows
from mlx_metaembed.vector_cache.store import Store, StoreError

WINDOW = 8_192
"""Texts that are made together, and kept as soon as they are made."""
Make = Callable[[Sequence[str]], np.ndarray]


@dataclass
class Counts:
    """What became of the texts so far: found, not found, and found but damaged (which were not found either)."""

    hits: int = 0
    misses: int = 0
    damaged: int = 0


class VectorCache:
    """Vectors by model, prompt, width and text, kept in a store for so many hours; `counts` says how many were found.

    `warn` hears once of a store that fails.
    """

    def __init__(self, store: Store, hours: float, warn: Callable[[str], None]):
        self.store, self.hours, self.counts = store, hours, Counts()
        self._warn, self._reads, self._writes = warn, True, True

    def vectors(
        self,
        texts: Sequence[str],
        about: Mapping[str, object],
        width: int,
        make: Make,
        progress: Callable[[int], None] = lambda texts: None,
    ) -> np.ndarray:
        """Vectors float32 [texts, width]; `make` gives those of texts that are not there, each distinct text once.

        `about` says how they are made: whatever makes other vectors must be in it. `progress` hears how many texts the
        cache had; `make` tells of its own.
        """
        found = np.empty((len(texts), width), np.float32)
        names = keys.of(about | {"width": width}, texts)
        missing: dict[bytes, list[int]] = {}
        had = self._read(list(dict.fromkeys(names)), width)
        for at, name in enumerate(names):
            if (row := had.get(name)) is not None:
                found[at] = row
            else:
                missing.setdefault(name, []).append(at)
        absent = sum(map(len, missing.values()))
        self.counts.hits += len(texts) - absent
        self.counts.misses += absent
        progress(len(texts) - len(missing))
        wanted = list(missing.items())
        for first in range(0, len(wanted), WINDOW):
            part = wanted[first : first + WINDOW]
            made = make([texts[places[0]] for _, places in part])
            for (_, places), row in zip(part, made, strict=True):
                found[places] = row
            self._write({name: rows.packed(row) for (name, _), row in zip(part, made, strict=True)})
        return found

    def close(self) -> None:
        """Let go of the store."""
        self._reads = self._writes = False
        self.store.close()

    def _read(self, names: Sequence[bytes], width: int) -> dict[bytes, np.ndarray]:
        if not self._reads:
            return {}
        try:
            stored = self.store.get(names)
        except StoreError as error:
            self._failed(error)
            return {}
        found = {name: rows.unpacked(row, width) for name, row in stored.items()}
        whole = {name: row for name, row in found.items() if row is not None}
        self.counts.damaged += len(found) - len(whole)
        return whole

    def _write(self, found: Mapping[bytes, bytes]) -> None:
        if not self._writes:
            return
        try:
            self.store.put(found, self.hours)
        except StoreError as error:
            self._failed(error)

    def _failed(self, error: StoreError) -> None:
        """Say so, the first time, and leave the store alone."""
        if self._writes:
            what = "keeps no more vectors" if error.full else "is not used any more"
            self._warn(f"The cache {self.store.name} {what}: {error}. Vectors are made as without it")
        self._writes, self._reads = False, self._reads and error.full
