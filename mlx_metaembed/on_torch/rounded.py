"""Linear layers that compute with rounded weights while the weights themselves train."""

from collections.abc import Mapping
from functools import partial

import torch
from torch.nn.functional import linear

from mlx_metaembed.layers.rounding import straight_through
from mlx_metaembed.on_torch import lora


def attach(trunk: torch.nn.Module, settings: Mapping[str, Mapping]) -> None:
    """Make the linear layers of a trunk that have settings (bits, group_size) by their path compute so."""
    for path, layers in lora.linear_layers(trunk).items():
        if path in settings:
            for layer, _, _ in layers:
                # Rows are rounded by themselves, so that a part of a fused matrix is as it is in the whole.
                layer.forward = partial(_forward, layer, settings[path]["bits"], settings[path]["group_size"])


def _forward(layer: torch.nn.Linear, bits: int, group_size: int, x: torch.Tensor) -> torch.Tensor:
    weight = straight_through(layer.weight.float(), bits, group_size)
    return linear(x, weight.to(x.dtype), layer.bias)
