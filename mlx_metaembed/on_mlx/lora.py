"""LoRA and DoRA on MLX layers: a linear layer, plain or quantized, gains `lora_A`, `lora_B` and a magnitude.

The layer keeps its own names, and a quantized one stays quantized: gradients flow through it (QLoRA). The mathematics
is adapters/lora.py's; here it is applied to activations, so that no matrix of the weight's size is made for plain LoRA.
"""

from collections.abc import Callable, Sequence
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
    def changed(self: nn.Module, x: mx.array) -> mx.array:
        low, high = self.lora_A["weight"], self.lora_B["weight"]
        return kind.__call__(self, x) + (scale * (x @ low.T)) @ high.T

    def scaled(self: nn.Module, x: mx.array) -> mx.array:
        low, high, magnitude = self.lora_A["weight"], self.lora_B["weight"], self.lora_magnitude_vector
        if isinstance(self, nn.QuantizedLinear):
            biases = self.get("biases")
            stored = [self.weight, self.scales, *([] if biases is None else [biases])]
            y = _dora(scale, self.group_size, self.bits, self.mode)(x, low, high, magnitude, *stored)
        else:
            y = _dora(scale)(x, low, high, magnitude, self.weight)
        return y + self.bias if "bias" in self else y

    return type(kind.__name__, (kind,), {"__call__": scaled if dora else changed})


@cache
def _dora(scale: float, group_size: int = 0, bits: int = 0, mode: str = "") -> Callable:
    """x V^T with V = W + scale * B A, each feature times magnitude / the length of its row of V.

    The length is a constant to the gradient (arXiv:2402.09353, section 4.3). The layer's output is computed again on
    the way back, since it would be kept for the magnitude's gradient alone.
    """
    settings = {"group_size": group_size, "bits": bits, "mode": mode}

    def product(x: mx.array, stored: Sequence[mx.array], *, transpose: bool) -> mx.array:
        if bits:
            return mx.quantized_matmul(x, *stored, transpose=transpose, **settings)
        return x @ (stored[0].T if transpose else stored[0])

    def factor(low: mx.array, high: mx.array, stored: Sequence[mx.array]) -> mx.array:
        plain = mx.dequantize(*stored, **settings) if bits else stored[0]
        return 1 / mx.linalg.norm(plain + scale * high @ low, axis=1)

    @mx.custom_function
    def scaled(x: mx.array, low: mx.array, high: mx.array, magnitude: mx.array, *stored: mx.array) -> mx.array:
        y = product(x, stored, transpose=True) + (scale * (x @ low.T)) @ high.T
        return y * (magnitude * factor(low, high, stored)).astype(y.dtype)

    @scaled.vjp
    def back(given: tuple[mx.array, ...], gradient: mx.array, _output: mx.array) -> tuple[mx.array, ...]:
        x, low, high, magnitude, *stored = given
        flat, gradient = x.reshape(-1, x.shape[-1]), gradient.reshape(-1, gradient.shape[-1])
        inner, by = scale * (flat @ low.T), factor(low, high, stored)
        y = product(flat, stored, transpose=True) + inner @ high.T
        at_magnitude = mx.sum((y * gradient).astype(mx.float32), axis=0) * by
        gradient = gradient * (magnitude * by).astype(gradient.dtype)
        at_inner = scale * (gradient @ high)
        at_x = product(gradient, stored, transpose=False) + at_inner @ low
        found = (at_x.reshape(x.shape), at_inner.T @ flat, gradient.T @ inner, at_magnitude.astype(magnitude.dtype))
        # What is stored is frozen.
        return *found, *map(mx.zeros_like, stored)

    return scaled
