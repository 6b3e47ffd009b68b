"""Second moments of what goes into linear layers: for rounding their weights where it matters."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import mlx.core as mx
import mlx.nn as nn


@contextmanager
def recorded(trunk: nn.Module, modules: Collection[str], real: mx.array) -> Iterator[dict[str, mx.array]]:
    """By a layer's path, once the trunk has run inside, the sum of x x^T [C, C] over those tokens of its input that
    are `real` [B, L].

    Of layers whose input is no row a token all rows count.
    """
    found: dict[str, mx.array] = {}
    real = real.reshape(-1, 1)

    def recording(path: str, kind: type) -> type:
        def call(self: nn.Module, x: mx.array) -> mx.array:
            rows = x.reshape(-1, x.shape[-1]).astype(mx.float32)
            rows = mx.where(real, rows, 0) if len(rows) == len(real) else rows
            found[path] = rows.T @ rows
            return kind.__call__(self, x)

        return type(kind.__name__, (kind,), {"__call__": call})

    before = {
        path: module for path, module in trunk.named_modules() if path in modules and isinstance(module, nn.Linear)
    }
    kinds = {path: type(module) for path, module in before.items()}
    for path, module in before.items():
        module.__class__ = recording(path, kinds[path])
    try:
        yield found
    finally:
        for path, module in before.items():
            module.__class__ = kinds[path]
