"""A folder's trunk as an MLX module: the encoder of its model_type, loaded strictly."""

import dataclasses
import importlib
from collections.abc import Mapping

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from mlx_metaembed.adapters import Adapter
from mlx_metaembed.config import checks, families
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder import quantized as quantization
from mlx_metaembed.folder.foreign_names import require_fit
from mlx_metaembed.folder.parameters import TRUNK
from mlx_metaembed.on_mlx import files, layers, lora, rounded
from mlx_metaembed.on_mlx import scales as scale_layers


def build(folder: ModelFolder, *, dropout: float = 0.0, quantized: bool = False) -> nn.Module:
    """The encoder of a folder's configuration, without its weights; its matrices quantized as the folder's are.

    Raises CallError for an unknown model type, or a configuration with keys missing or out of reach.
    """
    families.require(folder)
    encoder = importlib.import_module(f"mlx_metaembed.on_mlx.encoders.{folder.model_type.replace('-', '_')}")
    known = {field.name: field.default is dataclasses.MISSING for field in dataclasses.fields(encoder.Config)}
    config = folder.architecture
    missing = [f"{name} is missing" for name, required in known.items() if required and name not in config]
    missing += [
        f"{name} = {config[name]!r} is not supported"
        for name, reach in encoder.SUPPORTED.items()
        if config.get(name, reach[0]) not in reach
    ]
    missing += checks.type_errors(encoder.Config, config) + checks.indivisible_heads(config)
    if missing:
        raise faults(f"{folder.path / 'config.json'}:", missing)
    read = encoder.Config(**{name: config[name] for name in known if name in config})
    if wrong := read.faults() if hasattr(read, "faults") else []:
        raise faults(f"{folder.path / 'config.json'}:", wrong)
    try:
        trunk = encoder.Encoder(read, dropout)
    except (OverflowError, ValueError) as error:
        raise CallError(f"{folder.path / 'config.json'}: no encoder of these sizes can be made: {error}") from None
    if quantized:
        modules = {name.removesuffix(".scales") for name in folder.trunk() if name.endswith(".scales")}
        settings = {path: quantization.settings_of(folder.quantization, path) for path in modules}
        nn.quantize(trunk, class_predicate=lambda path, _module: settings.get(path, False))
    return trunk


def load(folder: ModelFolder, *, dropout: float = 0.0, expand: bool = False) -> nn.Module:
    """The trunk with its weights, as stored; `expand` makes plain matrices of quantized ones.

    Raises CallError that lists every tensor that does not fit.
    """
    quantized = bool(folder.quantization) and not expand
    trunk = build(folder, dropout=dropout, quantized=quantized)
    found = folder.trunk()
    if folder.quantization and expand:
        found = quantization.expand(found, folder.quantization)
    expected = {name: tuple(array.shape) for name, array in tree_flatten(trunk.parameters())}
    require_fit(folder, expected, {name: tensor.shape for name, tensor in found.items()})
    trunk.load_weights(list(files.read(folder, found).items()))
    return trunk


def prepare(
    trunk: nn.Module,
    adapter: Adapter | None,
    *,
    checkpointing: bool,
    scales: bool,
    rounding: Mapping[str, Mapping],
) -> None:
    """Make a trunk's layers compute as the engine's `load` was asked for (see engine.Engine)."""
    if scales:
        scale_layers.attach(trunk)
    rounded.attach(trunk, rounding)
    if adapter:
        lora.attach(trunk, adapter)
    if checkpointing:
        layers.checkpoint(trunk)


def plain(parameters: Mapping[str, mx.array], folder: ModelFolder, name: str) -> dict[str, mx.array]:
    """One of the trunk's matrices as a plain one, under its full name, where it is quantized; else nothing."""
    module = TRUNK + name.removesuffix(".weight")
    if f"{module}.scales" not in parameters:
        return {}
    parts = [parameters[full] for part in quantization.PARTS if (full := f"{module}.{part}") in parameters]
    settings = quantization.settings_of(folder.quantization, module.removeprefix(TRUNK))
    return {f"{module}.weight": mx.dequantize(*parts, **settings)}
