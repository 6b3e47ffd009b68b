"""A folder's weights as MLX arrays, under the trunk's own names."""

from collections.abc import Mapping

import mlx.core as mx
import numpy as np

from mlx_metaembed.config.spellings import prefix
from mlx_metaembed.errors import CallError
from mlx_metaembed.files.safetensors import Tensor
from mlx_metaembed.folder import ModelFolder


def read(folder: ModelFolder, wanted: Mapping[str, Tensor | np.ndarray]) -> dict[str, mx.array]:
    """The wanted tensors, as stored, by the names without the prefix of task models; NumPy's are taken as they are.

    Raises CallError where the files have float64 tensors.
    """
    if wide := [name for name, tensor in folder.tensors().items() if tensor.dtype == "F64"]:
        raise CallError(
            f"{folder.path} has float64 weights ({wide[0]}, ...), which MLX does not read; "
            f"metaembed convert {folder.path} OUT --dtype float32 makes them float32"
        )
    stored = {}
    for path in folder.weights():
        stored |= mx.load(str(path))
    before = prefix(folder.model_type, stored)
    stored = {name.removeprefix(before): array for name, array in stored.items()}
    return {name: mx.array(each) if isinstance(each, np.ndarray) else stored[name] for name, each in wanted.items()}
