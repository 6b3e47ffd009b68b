"""A matrix rounded with error feedback: what a column loses is made up by those that come after it. NumPy.

GPTQ, arXiv:2210.17323: the error of the layer's output is (W - Q) H (W - Q)^T with H the second moments of its inputs;
columns are rounded in turn, and the inverse of H says how much of a column's error each later one takes over. The scale
and bias of a group are fitted, weighted by the diagonal of H, when its first column is reached. R rows, C columns,
groups of g columns.
"""

import numpy as np

from mlx_metaembed.quantizers import affine

DAMPING = 0.01
"""Added to the diagonal of H, as a share of its mean."""


def quantize(
    weight: np.ndarray, moments: np.ndarray, *, bits: int, group_size: int, dtype: str = "float32"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes float32 [R, C], scales and biases [R, C / g] of a matrix [R, C] whose inputs have second moments [C, C].

    Scales and biases are float32 that `dtype` holds exactly.
    """
    rows, columns = weight.shape
    # A column of the matrix is a row here, where its numbers lie together.
    left = np.array(weight.T, np.float32, order="C")
    diagonal = np.diag(moments).astype(np.float64)
    damped = moments + np.diag(np.full(columns, DAMPING * max(diagonal.mean(), 1e-12)))
    # The upper Cholesky factor of the inverse: row c has what column c's error gives to those after it.
    factor = np.linalg.cholesky(np.linalg.inv(damped)).T.astype(np.float32)
    found = np.empty((columns, rows), np.float32)
    scales, biases = (np.empty((columns // group_size, rows), np.float32) for _ in range(2))
    for group, first in enumerate(range(0, columns, group_size)):
        part = slice(first, first + group_size)
        weights = diagonal[part].astype(np.float32) + 1e-12
        scale, bias = affine.fit(left[part].T, bits, weights, dtype=dtype)
        scales[group], biases[group] = scale, bias
        step = np.where(scale == 0, 1, scale)
        own, errors = factor[part, part], np.empty((group_size, rows), np.float32)
        for at in range(group_size):
            column = left[first + at]
            code = np.clip(np.rint((column - bias) / step), 0, 2**bits - 1)
            found[first + at] = code
            errors[at] = (column - (code * scale + bias)) / own[at, at]
            left[first + at + 1 : first + group_size] -= own[at, at + 1 :, None] * errors[at]
        left[first + group_size :] -= factor[part, first + group_size :].T @ errors
    return found.T, scales.T, biases.T
