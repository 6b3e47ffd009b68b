"""AdamW by torch's fused kernel: one pass over a parameter, its gradient and its moments.

The arithmetic is that of the shared text (training/optimizers/adamw.py) in another order of rounding; on a processor it
takes a quarter of its time.
"""

from collections.abc import Mapping, Sequence

import torch
from torch.optim.adamw import adamw

from mlx_metaembed.engine import Rule

KERNEL, BETAS, EPSILON = "adamw", (0.9, 0.999), 1e-8


def update(
    rule: Rule,
    masters: Mapping[str, torch.Tensor],
    gradients: Mapping[str, torch.Tensor],
    state: Mapping[str, Sequence[torch.Tensor]],
) -> None:
    """Update the float32 masters that have gradients, and their two moments each, in place."""
    groups: dict[tuple[float, float], list[str]] = {}
    for name, gradient in gradients.items():
        rate, keep = rule.scalars(name, gradient.shape)[:2]
        groups.setdefault((rate, keep), []).append(name)
    for (rate, keep), names in groups.items():
        adamw(
            [masters[name] for name in names],
            [gradients[name].contiguous() for name in names],
            [state[name][0] for name in names],
            [state[name][1] for name in names],
            [],
            # torch counts the step before it takes it.
            [torch.tensor(rule.step - 1.0, device=masters[name].device) for name in names],
            fused=True,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=rate,
            weight_decay=(1 - keep) / rate if rate else 0.0,
            eps=EPSILON,
            maximize=False,
        )
