"""LoRA and DoRA on torch's linear layers, applied to activations: no matrix of a weight's size is kept by a pass.

A layer's weight stays as it is and takes no gradient. The adapter's matrices stand under PEFT's names beside it; where
a checkpoint fuses what transformers computes apart, each of its layers takes its rows of them. The mathematics is
adapters/lora.py's.
"""

from collections.abc import Iterator

import torch
from torch.nn.functional import linear

from mlx_metaembed.adapters import Adapter
from mlx_metaembed.errors import faults
from mlx_metaembed.on_torch import renamed

Layer = tuple[torch.nn.Linear, int, int]
"""A linear layer, and which part of how many of the adapter's rows are its own."""


def attach(trunk: torch.nn.Module, adapter: Adapter) -> None:
    """Give the adapter's layers its weights. Raises CallError that lists every layer the trunk does not have."""
    holders, layers = dict(trunk.named_modules()), linear_layers(trunk)
    if wrong := [path for path in adapter.modules if path not in layers]:
        raise faults("The adapter was made for another model; this one has no such linear layers:", wrong)
    for path in adapter.modules:
        holder, dtype = holders[path], holders[path].weight.dtype
        for part in ("lora_A", "lora_B"):
            holder.add_module(part, torch.nn.Module())
            getattr(holder, part).weight = _parameter(adapter, f"{path}.{part}.weight", dtype)
        if adapter.dora:
            holder.lora_magnitude_vector = _parameter(adapter, f"{path}.lora_magnitude_vector", dtype)
        for layer in layers[path]:
            layer[0].forward = _Forward(holder, *layer, adapter)


def _parameter(adapter: Adapter, name: str, dtype: torch.dtype) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor(adapter.arrays[name], dtype=dtype))


def linear_layers(trunk: torch.nn.Module) -> dict[str, list[Layer]]:
    """The linear layers of a trunk by the paths of the checkpoint's matrices that they compute with."""
    found: dict[str, list[Layer]] = {}
    for path, module, part, parts in _computing(trunk):
        if isinstance(module, torch.nn.Linear):
            found.setdefault(path, []).append((module, part, parts))
    return found


def _computing(trunk: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module, int, int]]:
    if isinstance(trunk, renamed.Renamed):
        for name, module in trunk.trunk.named_modules():
            matrix, part, parts = trunk.stored(f"{name}.weight")
            yield matrix.removesuffix(".weight"), module, part, parts
    else:
        for name, module in trunk.named_modules():
            yield name, module, 0, 1


class _Forward:
    """A linear layer's call with the adapter's change: states [..., in] to [..., out]."""

    def __init__(self, holder: torch.nn.Module, layer: torch.nn.Linear, part: int, parts: int, adapter: Adapter):
        # No module itself, so that nothing is registered twice.
        self._holder, self._layer, self._part, self._parts = holder, layer, part, parts
        self._scale, self._dora = adapter.scale, adapter.dora

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self._layer.weight, self._layer.bias
        low, high = self._holder.lora_A.weight, self._own(self._holder.lora_B.weight)
        flat = x.reshape(-1, x.shape[-1])
        if self._dora:
            magnitude = self._own(self._holder.lora_magnitude_vector)
            y = _Dora.apply(flat, weight, low, high, magnitude, self._scale)
            y = y if bias is None else y + bias
        else:
            y = _added(linear(flat, weight, bias), flat, low, high, self._scale)
        return y.view(*x.shape[:-1], -1)

    def _own(self, whole: torch.Tensor) -> torch.Tensor:
        return whole if self._parts == 1 else whole.chunk(self._parts)[self._part]


def _added(y: torch.Tensor, x: torch.Tensor, low: torch.Tensor, high: torch.Tensor, scale: float) -> torch.Tensor:
    """y [n, out] + scale * (x A^T) B^T, in y's place."""
    return y.addmm_(linear(x, low), high.T, alpha=scale)


class _Dora(torch.autograd.Function):
    """x V^T [n, out] with V = W + scale * B A, each feature times magnitude / the length of its row of V.

    The length is a constant to the gradient (arXiv:2402.09353, section 4.3). The layer's output is computed again on
    the way back, since it would be kept for the magnitude's gradient alone.
    """

    @staticmethod
    def forward(ctx, x, weight, low, high, magnitude, scale):
        length = torch.linalg.vector_norm(torch.addmm(weight, high, low, alpha=scale), dim=1)
        ctx.save_for_backward(x, weight, low, high, magnitude, length)
        ctx.scale = scale
        return _added(linear(x, weight), x, low, high, scale).mul_(magnitude / length)

    @staticmethod
    def backward(ctx, gradient):
        x, weight, low, high, magnitude, length = ctx.saved_tensors
        inner = linear(x, low)
        plain = linear(x, weight).addmm_(inner, high.T, alpha=ctx.scale)
        at_magnitude = plain.mul_(gradient).sum(dim=0) / length
        # From here on the gradient at the layer's own output.
        gradient = torch.mul(gradient, magnitude / length, out=plain)
        at_inner = (gradient @ high).mul_(ctx.scale)
        at_low, at_high = at_inner.T @ x, (gradient.T @ inner).mul_(ctx.scale)
        at_x = (at_inner @ low).addmm_(gradient, weight) if ctx.needs_input_grad[0] else None
        return at_x, None, at_low, at_high, at_magnitude, None
