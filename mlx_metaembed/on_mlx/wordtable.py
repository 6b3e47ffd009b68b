"""The word table in training: its gradient as the rows that were read, not as a matrix of zeros a chunk.

The table of a small encoder is half of its parameters. A chunk is given the rows of its tokens, and the gradient of
those rows is added to the table's sum, many chunks at a time, since adding copies the table.
"""

from collections.abc import Collection, Mapping

import mlx.core as mx
import mlx.nn as nn

from mlx_metaembed.config.spellings import is_word_table
from mlx_metaembed.folder.parameters import TRUNK

PENDING_SHARE = 8
"""Rows wait to be added until they are this fraction (1 / PENDING_SHARE) of the table."""


class Gathered(nn.Embedding):
    """An embedding whose weight is the rows of the chunk's tokens already, [b * L, D]."""

    def __call__(self, ids: mx.array) -> mx.array:
        return self.weight.reshape(*ids.shape, -1)


class WordTable:
    """The word table that trains; `name` is its weight's full name."""

    @classmethod
    def of(cls, trunk: nn.Module, trained: Collection[str]) -> "WordTable | None":
        """The plain embedding of a trunk's token ids, where its weight is among the trained; None where it is not."""
        for path, module in trunk.named_modules():
            name = f"{TRUNK}{path}.weight"
            if type(module) is nn.Embedding and is_word_table(name) and name in trained:
                return cls(name, module)
        return None

    def __init__(self, name: str, module: nn.Embedding):
        self.name = name
        self._shape = module.weight.shape
        self._sum: mx.array | None = None
        self._pending: list[tuple[mx.array, mx.array]] = []
        module.__class__ = Gathered

    def gathered(self, table: mx.array, ids: mx.array) -> mx.array:
        """The rows [b * L, D] of a chunk's tokens [b, L]."""
        return mx.take(table, ids.reshape(-1), axis=0)

    def add(self, ids: mx.array, rows: mx.array) -> None:
        """Add the gradient of a chunk's rows."""
        rows = rows.astype(mx.float32)
        mx.eval(rows)
        self._pending.append((ids.reshape(-1), rows))
        if sum(len(each) for each, _ in self._pending) * PENDING_SHARE > self._shape[0]:
            self._flush()

    def add_whole(self, gradient: mx.array) -> None:
        """Add the gradient of the table where all of it was read, as a decoder reads it, float32."""
        self._sum = gradient if self._sum is None else self._sum + gradient
        mx.eval(self._sum)

    def taken(self) -> Mapping[str, mx.array]:
        """The sum by the weight's name, float32, and a fresh start; nothing where no chunk was added."""
        self._flush()
        found, self._sum = ({} if self._sum is None else {self.name: self._sum}), None
        return found

    def _flush(self) -> None:
        if self._pending:
            ids, rows = (mx.concatenate(parts) for parts in zip(*self._pending, strict=True))
            before = mx.zeros(self._shape, mx.float32) if self._sum is None else self._sum
            self._sum = before.at[ids].add(rows)
            self._pending = []
            mx.eval(self._sum)
