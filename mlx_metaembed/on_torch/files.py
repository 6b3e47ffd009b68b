"""A folder's weights as torch tensors, under the trunk's own names."""

from collections.abc import Mapping

import numpy as np
import torch

from mlx_metaembed.config.spellings import prefix
from mlx_metaembed.files.safetensors import Tensor
from mlx_metaembed.folder import ModelFolder


def read(folder: ModelFolder, wanted: Mapping[str, Tensor | np.ndarray]) -> dict[str, torch.Tensor]:
    """The wanted tensors, as stored, by the names without the prefix of task models; NumPy's are taken as they are."""
    # Not at the top: what asks torch alone for a GPU imports this too.
    from safetensors.torch import load_file

    stored: dict[str, torch.Tensor] = {}
    for path in folder.weights():
        stored |= load_file(path)
    before = prefix(folder.model_type, stored)
    stored = {name.removeprefix(before): tensor for name, tensor in stored.items()}
    return {
        name: torch.from_numpy(each) if isinstance(each, np.ndarray) else stored[name] for name, each in wanted.items()
    }
