"""Arrays as MLX's affine quantized weights: NumPy in, NumPy out.

Scales and biases have the dtype of the array that came in, as MLX's own loaders expect.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from mlx_metaembed.on_mlx import blas

# Whoever imports mlx.core first decides which BLAS the process has.
blas.preload()

import mlx.core as mx  # noqa: E402


def quantize(
    arrays: Mapping[str, np.ndarray], names: Iterable[str], *, bits: int, group_size: int
) -> dict[str, np.ndarray]:
    """The arrays with each `<module>.weight` of `names` packed as uint32, and its `.scales` and `.biases` beside it."""
    chosen = set(names)
    found: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if name not in chosen:
            found[name] = array
            continue
        packed = mx.quantize(mx.array(array), group_size=group_size, bits=bits, mode="affine", stream=mx.cpu)
        module = name.removesuffix(".weight")
        for part, values in zip(("weight", "scales", "biases"), packed, strict=True):
            found[f"{module}.{part}"] = np.array(values)
    return found
