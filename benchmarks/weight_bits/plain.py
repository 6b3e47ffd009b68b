"""A model rounded as mlx-lm and mlx-embeddings round: every matrix by `mx.quantize`, as `nn.quantize` calls it."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from mlx_metaembed import folder as folders
from mlx_metaembed.convert import checkpoint
from mlx_metaembed.export import matrices
from mlx_metaembed.files import disk
from mlx_metaembed.files.safetensors import Tensor, read_tensor
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.on_mlx.quantize import quantize


def export(model: ModelFolder, out: Path, *, bits: int, group_size: int = 64) -> ModelFolder:
    """Write a model as the folder `out`, its matrices so rounded and the rest float16."""
    rounding = matrices.Rounding(bits, group_size)
    folder, tensors = checkpoint.read(model.path)
    settings, _ = matrices.divided(tensors, rounding)
    found = dict(tensors)
    for module, own in settings.items():
        tensor = found.pop(f"{module}.weight")
        matrix = read_tensor(tensor) if isinstance(tensor, Tensor) else tensor
        parts = quantize(matrix.astype(np.float16), **own)
        found |= {f"{module}.{part}": array for part, array in parts.items()}
    config = folder.config | {"quantization": rounding.common, "quantization_config": rounding.common}
    with disk.replacing(out) as partial:
        checkpoint.write(replace(folder, config=config), found, partial, dtype="float16", note=lambda text: None)
    return folders.read(out)
