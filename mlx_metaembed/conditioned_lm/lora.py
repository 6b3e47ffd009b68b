"""LoRA at the linear maps of a language model's layers; names of weights are PEFT's. arXiv:2106.09685."""

from collections.abc import Mapping

import numpy as np

from mlx_metaembed.adapters import lora
from mlx_metaembed.xp import Array, namespace

LOW, HIGH = lora.PARTS[:2]


def initial(linears: Mapping[str, tuple[int, int]], rank: int, seed: int) -> dict[str, np.ndarray]:
    """A uniform as PEFT draws it, and B zero, of linear maps [out, in] by path."""
    random = np.random.default_rng(seed)
    found = {}
    for path, (rows, columns) in linears.items():
        bound = columns**-0.5
        found[f"{path}.{LOW}"] = random.uniform(-bound, bound, (rank, columns)).astype(np.float32)
        found[f"{path}.{HIGH}"] = np.zeros((rows, rank), np.float32)
    return found


def added(weights: Mapping[str, Array], path: str, scale: float, x: Array, y: Array) -> Array:
    """A linear map's output y [B, L, out] for x [B, L, in], with scale * (x A^T) B^T."""
    xp = namespace(x)
    low, high = (xp.swapaxes(xp.astype(weights[f"{path}.{part}"], x.dtype), 0, 1) for part in (LOW, HIGH))
    return y + scale * xp.matmul(xp.matmul(x, low), high)
