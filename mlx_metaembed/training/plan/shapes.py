"""A trunk's tensors where no weights are: from config.json alone, or as a 4-bit export of a folder would have them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from mlx_metaembed.errors import CallError
from mlx_metaembed.files.safetensors import ITEM_BYTES, Tensor
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.training.plan import layouts
from mlx_metaembed.training.plan.activations import Shape

GROUP, BITS = 64, 4
"""What `metaembed export --to mlx` takes where nothing else is said."""


@dataclass(frozen=True)
class Shaped(ModelFolder):
    """A model folder whose tensors are known by shape only."""

    of_trunk: Mapping[str, Tensor] = field(default_factory=dict)
    whole: Mapping[str, Tensor] = field(default_factory=dict)
    """Of the folder that it is made of, heads as well; of a configuration none."""

    def tensors(self) -> dict[str, Tensor]:
        return dict(self.whole or self.of_trunk)

    def trunk(self) -> dict[str, Tensor]:
        return dict(self.of_trunk)


def exact(folder: ModelFolder) -> bool:
    """Whether `of_config` gives every tensor as the weights have it."""
    return folder.model_type in layouts.FAMILIES and not _mixed(folder) and not folder.quantization


def of_config(folder: ModelFolder) -> Shaped:
    """The folder with the tensors that its configuration implies; quantized where it says so.

    Raises CallError for a family whose tensors depend on more than widths and depth.
    """
    config = folder.architecture
    if folder.model_type not in (*layouts.FAMILIES, *layouts.LIKE_BERT) or _mixed(folder):
        raise CallError(
            f"{folder.path} has no weights, and those of model_type {folder.model_type!r} can't be told from "
            "config.json alone; give a folder with model.safetensors"
        )
    found = {name: _tensor(each) for name, each in layouts.tensors(config, Shape.of(config)).items()}
    plain = _shaped(folder, found, folder.config)
    return quantized(plain) if folder.quantization else plain


def _mixed(folder: ModelFolder) -> bool:
    """Whether some layers are mixtures of experts."""
    return bool(folder.architecture.get("moe_every_n_layers"))


def quantized(folder: ModelFolder) -> Shaped:
    """The folder as its 4-bit export: matrices of the layers and the word table packed."""
    settings = folder.quantization or {"group_size": GROUP, "bits": BITS}
    group, bits = settings["group_size"], settings["bits"]
    found: dict[str, Tensor] = {}
    for name, tensor in folder.trunk().items():
        module = name.removesuffix(".weight")
        small = any(
            word in name for word in ("position_embeddings", "token_type_embeddings", "relative_attention_bias")
        )
        if module == name or len(tensor.shape) != 2 or tensor.shape[1] % group or small:
            found[name] = tensor
            continue
        rows, columns = tensor.shape
        found[name] = _tensor((rows, columns * bits // 32), "U32")
        found |= {f"{module}.{part}": _tensor((rows, columns // group)) for part in ("scales", "biases")}
    return _shaped(folder, found, folder.config | {"quantization": settings}, folder.tensors())


def _shaped(
    folder: ModelFolder, of_trunk: Mapping[str, Tensor], config: dict, whole: Mapping[str, Tensor] | None = None
) -> Shaped:
    own = {each.name: getattr(folder, each.name) for each in fields(ModelFolder)}
    return Shaped(**own | {"config": config}, of_trunk=of_trunk, whole=whole or {})


def _tensor(shape: tuple[int, ...], dtype: str = "F32") -> Tensor:
    return Tensor(Path(), dtype, shape, 0, math.prod(shape) * ITEM_BYTES[dtype])
