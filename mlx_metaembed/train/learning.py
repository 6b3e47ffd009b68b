"""What a recipe trains in a model: parts of the trunk or an adapter beside it, and what stands behind the trunk."""

from dataclasses import replace

import numpy as np

from mlx_metaembed import adapters, trainable
from mlx_metaembed import heads as head_files
from mlx_metaembed.adapters import Adapter
from mlx_metaembed.declared import DenseModule
from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.heads import Fsq, Head
from mlx_metaembed.parameters import TRUNK, behind_trunk
from mlx_metaembed.recipe import Recipe

CODES = "codes"
"""The name of the head that `fsq` trains."""


def trunk(recipe: Recipe, folder: ModelFolder) -> tuple[Adapter | None, set[str]]:
    """The adapter, new or the folder's own, and the full names of what is frozen.

    Raises CallError where the folder's weights can't train as the recipe says.
    """
    _require_plain(recipe, folder)
    adapter = adapters.read(folder)
    if recipe.train == "full" and adapter:
        raise CallError(
            f"{folder.path} is an adapter; go on with --train {adapter.kind.lower()}, or fuse it first: "
            f"metaembed export {folder.path} OUT --to sentence-transformers"
        )
    frozen = {TRUNK + name for name in trainable.frozen(recipe, folder)}
    if recipe.train == "heads":
        return adapter, frozen | {TRUNK + name for name in (adapter.names if adapter else ())}
    if recipe.train == "full":
        return None, frozen
    dora = recipe.train == "dora"
    if adapter is None:
        layers = trainable.linear_layers(recipe, folder)
        adapter = adapters.new(
            folder, layers, rank=recipe.lora_rank, alpha=recipe.lora_alpha, dora=dora, seed=recipe.seed
        )
    elif (adapter.rank, f"{adapter.alpha:g}", adapter.dora) != (recipe.lora_rank, f"{recipe.lora_alpha:g}", dora):
        raise CallError(
            f"{folder.path} is a {adapter.kind} adapter of rank {adapter.rank} and alpha "
            f"{adapter.alpha:g}; go on with --train {adapter.kind.lower()} --lora-rank {adapter.rank} "
            f"--lora-alpha {adapter.alpha:g}"
        )
    return adapter, frozen


def trained(recipe: Recipe, folder: ModelFolder) -> dict[str, tuple[int, ...]]:
    """The shapes of the trunk's and its adapter's parameters that train, by their names in the trunk; nothing is read.

    Raises CallError as `trunk` does.
    """
    _require_plain(recipe, folder)
    still = trainable.frozen(recipe, folder)
    found = {name: tensor.shape for name, tensor in folder.trunk().items() if name not in still}
    if recipe.train in ("lora", "dora"):
        for path, shape in trainable.linear_layers(recipe, folder).items():
            found |= adapters.shapes(path, *shape, rank=recipe.lora_rank, dora=recipe.train == "dora")
    return found


def behind(recipe: Recipe, source: ModelFolder) -> tuple[ModelFolder, dict[str, Head], dict[str, np.ndarray]]:
    """The folder with the recipe's new Dense module, the heads with its code head, and the arrays of all of them.

    A new Dense module begins as the first features of what comes in. Heads on token states do not train. Raises
    CallError where only heads would train and there are none.
    """
    heads, head_arrays = head_files.read(source)
    heads = {name: head for name, head in heads.items() if not head.on_tokens}
    head_arrays = {name: array for name, array in head_arrays.items() if name.partition(".")[0] in heads}
    arrays, folder = behind_trunk(source, head_arrays), source
    given = source.dimensions
    if recipe.dense and recipe.dense != given:
        module = DenseModule(f"{2 + len(source.dense)}_Dense", given, recipe.dense, bias=False)
        folder = replace(source, dense=(*source.dense, module))
        arrays[f"dense.{module.path}.linear.weight"] = np.eye(recipe.dense, given, dtype=np.float32)
        if heads:
            raise CallError(f"{source.path} has heads for {given} features; dense = {recipe.dense} would change them")
    wanted = Fsq(folder.dimensions, recipe.fsq_levels) if recipe.fsq else None
    if wanted and heads.get(CODES) != wanted:
        heads[CODES] = wanted
        arrays = {name: array for name, array in arrays.items() if not name.startswith(f"heads.{CODES}.")}
        arrays |= {f"heads.{CODES}.{name}": array for name, array in wanted.initial(recipe.seed).items()}
    if recipe.train == "heads" and not arrays:
        raise CallError(
            "--train heads leaves the trunk as it is, and there is nothing behind it to train; add --fsq or --dense"
        )
    return folder, heads, arrays


def _require_plain(recipe: Recipe, folder: ModelFolder) -> None:
    if folder.quantization and recipe.train == "full":
        raise CallError(
            f"{folder.path} is quantized to {folder.quantization['bits']} bits, and such weights take no gradient. "
            "Train an adapter beside them (--train lora), or heads (--train heads); or make plain weights of them: "
            f"metaembed convert {folder.path} OUT"
        )
