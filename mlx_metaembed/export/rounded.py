"""A model's matrices rounded and packed as MLX's loaders take them, one at a time; the others stay in their files.

In the affine mode scales and biases are those of the least error, with the inputs' second moments by error feedback;
the other modes have one way to round, which is MLX's own.
"""

import importlib
from collections.abc import Callable, Mapping

import numpy as np

from mlx_metaembed.convert.sources import Tensors
from mlx_metaembed.export.matrices import Settings
from mlx_metaembed.files.safetensors import Tensor, read_tensor
from mlx_metaembed.folder.quantized import AFFINE, pack
from mlx_metaembed.quantizers import affine, gptq


def rounded(
    tensors: Tensors,
    settings: Settings,
    *,
    dtype: str,
    moments: Mapping[str, np.ndarray] | None = None,
    advance: Callable[[int], object] = lambda count: None,
) -> Tensors:
    """All tensors, with each matrix that has settings as uint32 and its `.scales` (and `.biases`) beside it.

    `dtype` is what the file will hold scales and biases in, `moments` are those of the matrices' inputs [C, C] by
    module, where they are known; `advance` hears after each matrix.
    """
    found: Tensors = {}
    for name, tensor in tensors.items():
        module = name.removesuffix(".weight")
        if module not in settings or module == name:
            found[name] = tensor
            continue
        matrix = (read_tensor(tensor) if isinstance(tensor, Tensor) else tensor).astype(np.float32)
        parts = packed(matrix, settings[module], dtype=dtype, moments=(moments or {}).get(module))
        found |= {f"{module}.{part}": array for part, array in parts.items()}
        advance(1)
    return found


def packed(
    matrix: np.ndarray, settings: Mapping[str, object], *, dtype: str, moments: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """weight uint32, scales and (in the affine mode) biases of a matrix float32 [R, C]."""
    bits, group_size = settings["bits"], settings["group_size"]
    if settings["mode"] != AFFINE:
        return importlib.import_module("mlx_metaembed.on_mlx.quantize").quantize(matrix, **settings)
    if moments is None:
        groups = matrix.reshape(-1, group_size)
        scales, biases = affine.fit(groups, bits, dtype=dtype)
        codes = affine.codes(groups, scales, biases, bits)
        scales, biases = (each.reshape(len(matrix), -1) for each in (scales, biases))
    else:
        codes, scales, biases = gptq.quantize(matrix, moments, bits=bits, group_size=group_size, dtype=dtype)
    return {"weight": pack(codes.reshape(matrix.shape), bits), "scales": scales, "biases": biases}
