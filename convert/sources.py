"""Where a checkpoint's weights lie, in whichever of the known formats: tensors by the names of the file.

Safetensors go before pickles where a folder has both, and an ONNX export comes last.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from mlx_metaembed.convert import onnx, pickles
from mlx_metaembed.convert.names import summary
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.files import safetensors
from mlx_metaembed.files.safetensors import Tensor
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.dense_files import dense_shapes
from mlx_metaembed.folder.module_types import DenseModule

PICKLES = (".bin", ".pt", ".pth")
Tensors = dict[str, Tensor | np.ndarray]
Note = Callable[[str], None]


def require_format(path: Path) -> None:
    """Raise CallError where a file is of no format that weights come in."""
    if path.suffix not in (".safetensors", ".onnx", *PICKLES):
        raise CallError(
            f"{path} is no weights file that is known; expected .safetensors, .gguf, .onnx, {', '.join(PICKLES)}, or a "
            "folder"
        )


def file(path: Path, note: Note) -> Tensors:
    """The tensors of one weights file. Raises CallError for a format that is not known."""
    if path.suffix == ".safetensors":
        return dict(safetensors.header(path))
    if path.suffix in PICKLES:
        tensors, others = pickles.read(path)
        if others:
            note(f"Left out of {path.name}, being no tensors: {summary(others)}")
        return tensors
    require_format(path)
    tensors, others = onnx.read(path)
    if others:
        note(f"Left out of {path.name}, being constants of its graph: {summary(others)}")
    return tensors


def trunk(folder: ModelFolder, note: Note) -> Tensors:
    """The tensors of a folder's weights: safetensors or torch's pickles, one file or shards, else its ONNX export."""
    path = folder.base or folder.trunk_path
    if not any((path / name).is_file() for name in ("model.safetensors", "model.safetensors.index.json")):
        if (path / "pytorch_model.bin").is_file():
            return file(path / "pytorch_model.bin", note)
        index = path / "pytorch_model.bin.index.json"
        if index.is_file():
            found: Tensors = {}
            for shard in safetensors.shards(index):
                tensors = file(shard, note)
                if twice := [name for name in tensors if name in found]:
                    raise faults(f"{shard} holds tensors that another file has:", twice, "Fetch the folder again.")
                found |= tensors
            return found
        if exported := onnx.file_of(path):
            return file(exported, note)
    return dict(safetensors.headers(folder.weights()))


def dense(folder: ModelFolder, module: DenseModule, note: Note) -> Tensors:
    """The weights of a Dense module. Raises CallError where they are missing or do not fit its configuration."""
    candidates = [folder.path / module.path / name for name in ("model.safetensors", "pytorch_model.bin")]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise CallError(f"{folder.path / module.path} has no weights; expected {candidates[0].name}")
    tensors = file(found, note)
    safetensors.compare(found, dense_shapes(module), _shapes(tensors))
    return tensors


def _shapes(tensors: Mapping[str, Tensor | np.ndarray]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}
