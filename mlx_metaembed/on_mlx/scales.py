"""Quantized linear layers whose scales and biases are parameters, while their codes stay: W = scale * code + bias."""

import mlx.core as mx
import mlx.nn as nn


class ScaledLinear(nn.QuantizedLinear):
    """Its weight is made plain for each product: gradients reach scales and biases, and a processor, where the product
    with packed weights is slow, computes with plain ones."""

    def __call__(self, x: mx.array) -> mx.array:
        settings = {"group_size": self.group_size, "bits": self.bits, "mode": self.mode}
        weight = mx.dequantize(self.weight, self.scales, self.get("biases"), **settings)
        y = x @ weight.astype(x.dtype).T
        return y + self.bias if "bias" in self else y


def attach(trunk: nn.Module) -> None:
    """Make a trunk's quantized linear layers compute so."""
    for module in trunk.modules():
        if type(module) is nn.QuantizedLinear:
            module.__class__ = ScaledLinear
