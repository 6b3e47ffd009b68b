"""LoRA and DoRA on torch modules: a layer's weight becomes a function of itself and the adapter's two matrices.

A parametrization works on any module that has a weight, so that families whose checkpoints fuse matrices take adapters
as all others do. The mathematics is adapters.py's.
"""

import re

import torch
from torch.nn.utils import parametrize

from mlx_metaembed.adapters import Adapter, changed
from mlx_metaembed.errors import faults
from mlx_metaembed.on_torch import words  # noqa: F401  (announces torch's namespace)


class Change(torch.nn.Module):
    """The weight with the adapter's change in it, in the weight's dtype."""

    def __init__(self, adapter: Adapter, path: str):
        super().__init__()
        low, high = (torch.tensor(adapter.arrays[f"{path}.{part}.weight"]) for part in ("lora_A", "lora_B"))
        self.scale = adapter.scale
        self.lora_A, self.lora_B = torch.nn.Parameter(low), torch.nn.Parameter(high)
        self.magnitude = None
        if adapter.dora:
            self.magnitude = torch.nn.Parameter(torch.tensor(adapter.arrays[f"{path}.lora_magnitude_vector"]))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        low, high = self.lora_A.to(weight.dtype), self.lora_B.to(weight.dtype)
        magnitude = None if self.magnitude is None else self.magnitude.to(weight.dtype)
        return changed(weight, low, high, magnitude, self.scale)


def attach(trunk: torch.nn.Module, adapter: Adapter) -> None:
    """Give the adapter's layers its weights. Raises CallError that lists every layer the trunk does not have."""
    modules = dict(trunk.named_modules())
    wrong = [path for path in adapter.modules if not hasattr(modules.get(path), "weight")]
    if wrong:
        raise faults("The adapter was made for another model; this one has no such linear layers:", wrong)
    for path in adapter.modules:
        parametrize.register_parametrization(modules[path], "weight", Change(adapter, path), unsafe=True)


def plain_name(name: str) -> str:
    """A parameter's name as it is without parametrization, an adapter's as PEFT has it."""
    name = name.replace(".parametrizations.weight.original", ".weight")
    name = re.sub(r"\.parametrizations\.weight\.0\.(lora_[AB])$", r".\1.weight", name)
    return name.replace(".parametrizations.weight.0.magnitude", ".lora_magnitude_vector")
