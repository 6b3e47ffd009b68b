"""A tensor of a GGUF file: numbers that become plain ones as they are read, a few million at a time."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from mlx_metaembed.convert.gguf.blocks import KINDS
from mlx_metaembed.files.safetensors import Tensor

PIECE_NUMBERS = 2**22
Change = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Packed(Tensor):
    """A tensor of type `kind` and `stored` shape; `dtype` is the plain type that keeps all it says.

    A `change` is done to the whole of it, in float32, and gives `shape`.
    """

    kind: int = 0
    stored: tuple[int, ...] = ()
    change: Change | None = None

    def changed(self, change: Change, shape: tuple[int, ...] | None = None) -> "Packed":
        """The same tensor with a change, and the shape that it then has."""
        return replace(self, change=change, shape=shape or self.shape)

    def pieces(self) -> Iterator[np.ndarray]:
        if self.change is None and len(self.stored) == 2 and self.shape == self.stored:
            yield from self._rows()
        else:
            whole = np.concatenate(list(self._rows())).reshape(self.stored)
            yield (self.change(whole) if self.change else whole).reshape(self.shape)

    def _rows(self) -> Iterator[np.ndarray]:
        """Rows of the stored shape, [N, width], in float32."""
        kind, width = KINDS[self.kind], self.stored[-1]
        rows, most = math.prod(self.stored[:-1]), max(PIECE_NUMBERS // width, 1)
        with self.path.open("rb") as file:
            file.seek(self.start)
            for first in range(0, rows, most):
                count = min(most, rows - first)
                blocks = np.frombuffer(file.read(count * width // kind.numbers * kind.bytes), np.uint8)
                # Scales of a damaged file are any bits; what is not finite is told of once the whole is written.
                with np.errstate(all="ignore"):
                    yield kind.values(blocks.reshape(-1, kind.bytes)).reshape(count, width)
