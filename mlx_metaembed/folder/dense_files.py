"""The weights of Dense modules in a folder: `2_Dense/model.safetensors`, checked against their configuration."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mlx_metaembed.errors import CallError
from mlx_metaembed.files import safetensors as files
from mlx_metaembed.folder.module_types import DenseModule

FILE = "model.safetensors"


def dense_shapes(module: DenseModule) -> dict[str, tuple[int, ...]]:
    """The weights of a sentence-transformers Dense module."""
    shapes = {"linear.weight": (module.out_features, module.in_features)}
    if module.use_residual and module.in_features != module.out_features:
        shapes["residual.weight"] = (module.out_features, module.in_features)
    return shapes | ({"linear.bias": (module.out_features,)} if module.bias else {})


def shapes(where: Path, modules: Iterable[DenseModule]) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights of the modules of a model folder `where`, as `<path>.<name>`; none is read.

    Raises CallError where a file is missing or does not fit its module.
    """
    found: dict[str, tuple[int, ...]] = {}
    for module in modules:
        path = where / module.path / FILE
        if not path.is_file():
            raise CallError(f"{path} is missing; bring the model in with: metaembed convert {where} OUT")
        expected = dense_shapes(module)
        files.compare(path, expected, {name: tensor.shape for name, tensor in files.header(path).items()})
        found |= {f"{module.path}.{name}": shape for name, shape in expected.items()}
    return found


def read(where: Path, modules: Iterable[DenseModule]) -> dict[str, np.ndarray]:
    """The weights themselves, by the same names. Raises CallError as `shapes` does."""
    modules = tuple(modules)
    shapes(where, modules)
    stored = {module.path: files.read(where / module.path / FILE) for module in modules}
    return {f"{path}.{name}": array for path, arrays in stored.items() for name, array in arrays.items()}
