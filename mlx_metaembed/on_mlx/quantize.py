"""A matrix as MLX's own quantization rounds it: NumPy in, NumPy out."""

import numpy as np

from mlx_metaembed.on_mlx import blas

# Whoever imports mlx.core first decides which BLAS the process has.
blas.preload()

import mlx.core as mx  # noqa: E402


def quantize(matrix: np.ndarray, *, bits: int, group_size: int, mode: str) -> dict[str, np.ndarray]:
    """weight uint32, scales and, in the affine mode, biases of a matrix [R, C].

    Scales and biases of the affine mode have the matrix's dtype; other modes' scales are bytes.
    """
    found = mx.quantize(mx.array(matrix), group_size=group_size, bits=bits, mode=mode, stream=mx.cpu)
    return dict(zip(("weight", "scales", "biases"), map(np.array, found), strict=False))
