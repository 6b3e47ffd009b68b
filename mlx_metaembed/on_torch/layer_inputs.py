"""Second moments of what goes into linear layers: for rounding their weights where it matters."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch

from mlx_metaembed.on_torch import lora


@contextmanager
def recorded(trunk: torch.nn.Module, modules: Collection[str], real: torch.Tensor) -> Iterator[dict[str, torch.Tensor]]:
    """By a layer's path, once the trunk has run inside, the sum of x x^T [C, C] over those tokens of its input that
    are `real` [B, L].

    Of layers whose input is no row a token all rows count.
    """
    found: dict[str, torch.Tensor] = {}
    real = real.flatten()

    def record(path: str, x: torch.Tensor) -> None:
        rows = x.reshape(-1, x.shape[-1]).float()
        rows = rows[real] if len(rows) == len(real) else rows
        found[path] = rows.T @ rows

    handles = []
    for path, layers in lora.linear_layers(trunk).items():
        if path in modules:
            # What a checkpoint fuses has one input.
            hook = lambda _layer, given, path=path: record(path, given[0])  # noqa: E731
            handles.append(layers[0][0].register_forward_pre_hook(hook))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
