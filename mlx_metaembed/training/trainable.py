"""Which parameters of a trunk train: all, some layers, or none beside an adapter. No engine.

A layer is the number in a tensor's name (`encoder.layer.11.output.dense.weight`); what stands before the layers is the
embeddings.
"""

import re
from collections.abc import Mapping, Sequence

from mlx_metaembed.errors import CallError, nearest
from mlx_metaembed.files.safetensors import Tensor
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.quantized import plain_shape
from mlx_metaembed.recipe import Recipe

LAYER = re.compile(r"\.(\d+)\.")
EMBEDDING = re.compile(r"(embed|^shared\.|wte|relative_attention_bias)")
ROUTER = re.compile(r"\.router\.")
"""What chooses a token's experts; adapters are for attention and MLPs, and take it by name alone."""


def frozen(recipe: Recipe, folder: ModelFolder) -> set[str]:
    """The trunk's tensors that do not train, by their names in the trunk.

    Raises CallError where `target_modules` or `num_layers` leave nothing to train.
    """
    trunk = folder.trunk()
    if recipe.train != "full":
        return set(trunk)
    still = set() if not (recipe.num_layers or recipe.target_modules) else set(trunk) - set(_chosen(recipe, trunk))
    if recipe.freeze_embeddings:
        still |= {name for name in trunk if LAYER.search(name) is None and EMBEDDING.search(name)}
    if still >= set(trunk):
        raise CallError("Nothing of the trunk is left to train; use --train heads to train heads alone")
    return still


def linear_layers(recipe: Recipe, folder: ModelFolder) -> dict[str, tuple[int, int]]:
    """The layers that an adapter changes, by path, with the shape [out, in] of their plain matrices.

    All linear layers of the trunk's layers but a router of experts, unless the recipe names some or counts from the
    last.
    """
    trunk = folder.trunk()
    chosen = _chosen(recipe, trunk) if recipe.num_layers or recipe.target_modules else trunk
    found = {}
    for name in chosen:
        if ROUTER.search(name) and not recipe.target_modules:
            continue
        if name.endswith(".weight") and LAYER.search(name) and not EMBEDDING.search(name):
            shape = plain_shape(trunk, name, folder.quantization)
            if len(shape) == 2:
                found[name.removesuffix(".weight")] = shape
    if not found:
        raise CallError(
            f"target_modules = {list(recipe.target_modules)}: none of them is a linear layer of {folder.path}; "
            f"its last layer has {', '.join(_last_layer(trunk))}"
        )
    return found


def _chosen(recipe: Recipe, trunk: Mapping[str, Tensor]) -> list[str]:
    """The tensors in the last `num_layers` layers and under one of `target_modules`."""
    depth = 1 + max((_layer(name) for name in trunk), default=-1)
    if recipe.num_layers and recipe.num_layers > depth:
        raise CallError(f"num_layers = {recipe.num_layers}, but the model has {depth} layers")
    modules = {_module(name) for name in trunk}
    for target in recipe.target_modules:
        if not any(_under(module, target) for module in modules):
            known = {part for module in modules for part in module.split(".") if not part.isdigit()}
            raise CallError(
                f"target_modules: the model has no module {target!r}{nearest(target, known)}; "
                f"its last layer has {', '.join(_last_layer(trunk))}"
            )
    return [
        name
        for name in trunk
        if (not recipe.num_layers or _layer(name) >= depth - recipe.num_layers)
        and (not recipe.target_modules or any(_under(_module(name), target) for target in recipe.target_modules))
    ]


def _last_layer(trunk: Mapping[str, Tensor]) -> Sequence[str]:
    depth = max((_layer(name) for name in trunk), default=-1)
    return sorted({LAYER.split(_module(name))[-1] for name in trunk if _layer(name) == depth})


def _layer(name: str) -> int:
    found = LAYER.search(name)
    return int(found[1]) if found else -1


def _module(name: str) -> str:
    return name.rpartition(".")[0]


def _under(module: str, target: str) -> bool:
    """Whether a module's path ends with the target, as PEFT matches, or lies inside of such a module."""
    return f".{target}." in f".{module}."
