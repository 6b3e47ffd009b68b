"""A folder's trunk as an MLX module: the encoder of its model_type, loaded strictly."""

import dataclasses
import importlib
import importlib.util
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from mlx_metaembed.errors import CallError, faults, nearest
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.weights import compare


def supported() -> list[str]:
    """The model types that an encoder is written for."""
    names = (path.stem for path in Path(__file__).with_name("encoders").glob("*.py"))
    return sorted(name.replace("_", "-") for name in names if name != "__init__")


def build(folder: ModelFolder, *, dropout: float = 0.0) -> nn.Module:
    """The encoder of a folder's configuration, without its weights; quantized where the folder is.

    Raises CallError for an unknown model type, or a configuration with keys missing or out of reach.
    """
    if folder.model_type.replace("_", "-") not in supported():
        raise CallError(
            f"{folder.path}: model_type {folder.model_type!r} is not supported"
            f"{nearest(folder.model_type, supported())}. Supported: {', '.join(supported())}"
        )
    encoder = importlib.import_module(f"mlx_metaembed.on_mlx.encoders.{folder.model_type.replace('-', '_')}")
    known = {field.name: field.default is dataclasses.MISSING for field in dataclasses.fields(encoder.Config)}
    config = folder.architecture
    missing = [f"{name} is missing" for name, required in known.items() if required and name not in config]
    missing += [
        f"{name} = {config[name]!r} is not supported"
        for name, reach in encoder.REACH.items()
        if config.get(name, reach[0]) not in reach
    ]
    if missing:
        raise faults(f"{folder.path / 'config.json'}:", missing)
    read = encoder.Config(**{name: config[name] for name in known if name in config})
    if wrong := read.faults() if hasattr(read, "faults") else []:
        raise faults(f"{folder.path / 'config.json'}:", wrong)
    trunk = encoder.Encoder(read, dropout)
    if folder.quantization:
        quantized = {name.removesuffix(".scales") for name in folder.trunk() if name.endswith(".scales")}
        nn.quantize(
            trunk,
            group_size=folder.quantization["group_size"],
            bits=folder.quantization["bits"],
            mode=folder.quantization.get("mode", "affine"),
            class_predicate=lambda path, _module: path in quantized,
        )
    return trunk


def load(folder: ModelFolder, *, dropout: float = 0.0) -> nn.Module:
    """The trunk with its weights, as stored. Raises CallError that lists every tensor that does not fit."""
    trunk = build(folder, dropout=dropout)
    found = folder.trunk()
    expected = {name: tuple(array.shape) for name, array in tree_flatten(trunk.parameters())}
    compare(folder.path, expected, {name: tensor.shape for name, tensor in found.items()})
    arrays = {}
    for path in folder.weights():
        arrays |= mx.load(str(path))
    trunk.load_weights([(name, arrays[name]) for name in found])
    return trunk
