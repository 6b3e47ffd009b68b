"""Linear layers that compute with rounded weights while the weights themselves train."""

from collections.abc import Mapping
from functools import cache

import mlx.core as mx
import mlx.nn as nn

from mlx_metaembed.layers.rounding import straight_through


def attach(trunk: nn.Module, settings: Mapping[str, Mapping]) -> None:
    """Make the linear layers of a trunk that have settings (bits, group_size) by their path compute so."""
    modules = dict(trunk.named_modules())
    for path, own in settings.items():
        if isinstance(modules.get(path), nn.Linear):
            modules[path].__class__ = _rounded(type(modules[path]), own["bits"], own["group_size"])


@cache
def _rounded(kind: type, bits: int, group_size: int) -> type:
    def call(self: nn.Module, x: mx.array) -> mx.array:
        weight = straight_through(self.weight.astype(mx.float32), bits, group_size).astype(x.dtype)
        y = x @ weight.T
        return y + self.bias if "bias" in self else y

    return type(kind.__name__, (kind,), {"__call__": call})
