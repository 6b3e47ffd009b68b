"""Quantized linear layers whose scales and biases are parameters, while their codes stay: W = scale * code + bias."""

import torch
from torch.nn.functional import linear

from mlx_metaembed.files.safetensors import read_tensor
from mlx_metaembed.folder import ModelFolder, quantized
from mlx_metaembed.on_torch import lora


def attach(trunk: torch.nn.Module, folder: ModelFolder) -> None:
    """Give each linear layer that the folder has in the affine mode `scales` and `biases` to compute its weight with.

    They stand under the checkpoint's names; the weight that was there is not read any more.
    """
    stored, holders = folder.trunk(), dict(trunk.named_modules())
    for path, layers in lora.linear_layers(trunk).items():
        if f"{path}.biases" not in stored:
            continue
        settings = quantized.settings_of(folder.quantization, path)
        codes = quantized.unpack(read_tensor(stored[f"{path}.weight"]), settings["bits"])
        holder = holders[path]
        for name in ("scales", "biases"):
            values = torch.tensor(read_tensor(stored[f"{path}.{name}"]), dtype=torch.float32)
            setattr(holder, name, torch.nn.Parameter(values))
        for layer, part, parts in layers:
            own = torch.tensor(codes).chunk(parts)[part]
            layer.forward = _Forward(holder, layer, own, part, parts)


class _Forward:
    """A linear layer's call: states [..., in] to [..., out]."""

    def __init__(self, holder: torch.nn.Module, layer: torch.nn.Module, codes: torch.Tensor, part: int, parts: int):
        self._holder, self._layer, self._part, self._parts = holder, layer, part, parts
        self._codes = codes

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        scales, biases = (getattr(self._holder, name).chunk(self._parts)[self._part] for name in ("scales", "biases"))
        if self._codes.device != scales.device:
            self._codes = self._codes.to(scales.device)
        groups = self._codes.view(*scales.shape, -1).to(scales.dtype)
        weight = torch.addcmul(biases[..., None], groups, scales[..., None]).view(self._codes.shape)
        return linear(x, weight.to(x.dtype), self._layer.bias)
