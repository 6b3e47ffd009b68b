"""A folder's trunk as a torch module: transformers' own, for every family it has, loaded strictly."""

import functools
import inspect

import torch
import torch.utils.checkpoint

from mlx_metaembed.config import families
from mlx_metaembed.config.spellings import kept, window_faults
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.folder import ModelFolder, task_adapters
from mlx_metaembed.folder.foreign_names import require_fit
from mlx_metaembed.folder.quantized import expand
from mlx_metaembed.on_torch import files, renamed, rope, towers

DROPOUT = ("hidden_dropout_prob", "dropout", "dropout_rate", "embedding_dropout", "mlp_dropout")
"""What families call the share of states that is dropped."""
NEVER_DROPPED = ("attention_probs_dropout_prob", "attention_dropout")
"""Attention weights are never dropped: MLX's fused kernel cannot, and both engines train alike."""


def checkpoint(trunk: torch.nn.Module) -> None:
    """Make the trunk's layers keep their inputs alone, and compute the rest again in the backward pass.

    Not by the switch of transformers, which MPNet does not have and whose name changes between releases.
    """
    for layer in _layers(trunk.trunk if isinstance(trunk, renamed.Renamed) else trunk):
        layer.forward = functools.partial(torch.utils.checkpoint.checkpoint, layer.forward, use_reentrant=False)


def _layers(module: torch.nn.Module) -> list[torch.nn.Module]:
    """The layers in a module's lists of them, the outermost of nested ones."""
    if isinstance(module, torch.nn.ModuleList):
        return list(module)
    return [layer for child in module.children() for layer in _layers(child)]


def load(folder: ModelFolder, *, dtype: torch.dtype, dropout: float) -> torch.nn.Module:
    """The trunk in `dtype`. Raises CallError that lists every tensor that does not fit, or an unknown model type."""
    from transformers import MODEL_FOR_TEXT_ENCODING_MAPPING, MODEL_MAPPING, AutoConfig
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.utils import logging

    # The kit checks names and shapes itself, and has its own progress bars.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if folder.is_tower:
        return towers.text(folder, dtype)
    kind = folder.model_type
    settings = {
        key: value
        for key, value in folder.config.items()
        if key not in ("model_type", "dtype", "torch_dtype", "quantization", "quantization_config")
    }
    if "type" in (scaling := settings.get("rope_scaling") or {}):
        # Where layers have settings apart, transformers reads the newer word alone.
        settings["rope_scaling"] = {"rope_type": scaling["type"]} | scaling
    form = renamed.form(folder)
    if form:
        kind, settings = renamed.configuration(folder)
    if kind not in CONFIG_MAPPING:
        raise families.unknown(folder)
    refused = f"{folder.path / 'config.json'}: transformers refuses it: "
    try:
        config = AutoConfig.for_model(kind, **settings)
    # Its checks of a configuration have errors of their own.
    except Exception as error:
        raise CallError(refused + str(error)) from None
    if kind == "longformer" and (wrong := window_faults(config.to_dict())):
        raise faults(f"{folder.path / 'config.json'}:", wrong)
    # A decoder would keep keys and values that nothing reads, and add to them where a layer is computed again.
    config.use_cache = False
    for name in DROPOUT:
        if hasattr(config, name):
            setattr(config, name, dropout)
    for name in NEVER_DROPPED:
        if hasattr(config, name):
            setattr(config, name, 0.0)
    found = expand(folder.trunk(), folder.quantization) if folder.quantization else folder.trunk()
    kind = type(config)
    # Of an encoder with a decoder (T5), the encoder alone.
    family = (MODEL_FOR_TEXT_ENCODING_MAPPING if kind in MODEL_FOR_TEXT_ENCODING_MAPPING else MODEL_MAPPING)[kind]
    family = renamed.family(folder, family) if form else family
    # Not every family has a pooler that could be left out.
    pooler = (
        {"add_pooling_layer": False} if "add_pooling_layer" in inspect.signature(family.__init__).parameters else {}
    )
    try:
        with torch.device("meta"):
            blank = family._from_config(config, **pooler)
    except Exception as error:
        raise CallError(f"{refused}{type(error).__name__}: {error}") from None
    native = dict(blank.named_parameters())
    left = {name.rpartition(".")[0] for name in native if kept(name, folder.model_type)}
    expected = {name: tuple(tensor.shape) for name, tensor in native.items() if name.rpartition(".")[0] not in left}
    if form:
        expected = renamed.shapes(form, native)
        expected |= task_adapters.shapes(folder.config, expected)
    require_fit(folder, expected, {name: tensor.shape for name, tensor in found.items()})
    tensors = files.read(folder, found)
    state = renamed.parted(form, native, tensors) if form else tensors
    trunk = family.from_pretrained(None, config=config, state_dict=state, dtype=dtype, **pooler)
    # Longformer's global projections take no part.
    for name in left:
        parent, _, own = name.rpartition(".")
        delattr(trunk.get_submodule(parent), own)
    for module in trunk.modules():
        # T5 drops attention weights as it drops states.
        if isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.0
    rope.own_lengths(trunk)
    if form:
        trunk = renamed.Renamed(folder, trunk, tensors)
    return trunk.eval()
