"""LoRA and DoRA on MLX layers: a linear layer, plain or quantized, gains `lora_A`, `lora_B` and a magnitude.

The layer keeps its own names, and a quantized one stays quantized: gradients flow through it (QLoRA). The mathematics
is adapters.py's; here it is applied to activations, so that no matrix of the weight's size is made for plain LoRA.
"""

from functools import cache

import mlx.core as mx
import mlx.nn as nn

from mlx_metaembed.adapters import Adapter
from mlx_metaembed.errors import faults


def attach(trunk: nn.Module, adapter: Adapter) -> None:
    """Give the adapter's layers its weights. Raises CallError that lists every layer the trunk does not have."""
    modules = dict(trunk.named_modules())
    wrong = [path for path in adapter.modules if not isinstance(modules.get(path), (nn.Linear, nn.QuantizedLinear))]
    if wrong:
        raise faults("The adapter was made for another model; this one has no such linear layers:", wrong)
    for path in adapter.modules:
        layer = modules[path]
        layer.lora_A = {"weight": mx.array(adapter.arrays[f"{path}.lora_A.weight"])}
        layer.lora_B = {"weight": mx.array(adapter.arrays[f"{path}.lora_B.weight"])}
        if adapter.dora:
            layer.lora_magnitude_vector = mx.array(adapter.arrays[f"{path}.lora_magnitude_vector"])
        layer.__class__ = _adapted(type(layer), adapter.scale, adapter.dora)


@cache
def _adapted(kind: type, scale: float, dora: bool) -> type:
    def call(self: nn.Module, x: mx.array) -> mx.array:
        low, high = self.lora_A["weight"], self.lora_B["weight"]
        y = kind.__call__(self, x) + (scale * (x @ low.T)) @ high.T
        if not dora:
            return y
        # The norm is a constant to the gradient (arXiv:2402.09353, section 4.3).
        whole = _plain(self) + scale * high @ low
        factor = (self.lora_magnitude_vector / mx.linalg.norm(mx.stop_gradient(whole), axis=1)).astype(y.dtype)
        # The bias stands beside the matrix, and takes no factor.
        return y * factor + self.bias * (1 - factor) if "bias" in self else y * factor

    return type(kind.__name__, (kind,), {"__call__": call})


def _plain(layer: nn.Module) -> mx.array:
    """The layer's matrix, made plain where it is quantized."""
    if not isinstance(layer, nn.QuantizedLinear):
        return layer.weight
    return mx.dequantize(
        layer.weight,
        layer.scales,
        layer.get("biases"),
        group_size=layer.group_size,
        bits=layer.bits,
        mode=layer.mode,
    )
