"""What a recipe trains in a model: parts of the trunk or an adapter beside it, and what stands behind the trunk."""

from dataclasses import dataclass, replace

import numpy as np

from mlx_metaembed import adapters, trainable
from mlx_metaembed import heads as head_files
from mlx_metaembed.adapters import Adapter
from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import ModelFolder, dense_files
from mlx_metaembed.folder.module_types import DenseModule
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


@dataclass(frozen=True)
class Behind:
    """What stands behind the trunk of a run from `source`: `folder` has the recipe's new Dense module, `heads` its code
    head; `shapes` are those of the parameters of all of them, by full name.
    """

    source: ModelFolder
    folder: ModelFolder
    heads: dict[str, Head]
    shapes: dict[str, tuple[int, ...]]

    def arrays(self, seed: int) -> dict[str, np.ndarray]:
        """The parameters by full name: the source's own, and new ones as they begin.

        A new Dense module begins as the first features of what comes in.
        """
        before, stored = head_files.read(self.source)
        kept = {name for name, head in self.heads.items() if before.get(name) == head}
        found = behind_trunk(
            self.source, {name: array for name, array in stored.items() if name.partition(".")[0] in kept}
        )
        for module in self.folder.dense[len(self.source.dense) :]:
            name = f"dense.{module.path}.linear.weight"
            found[name] = np.eye(module.out_features, module.in_features, dtype=np.float32)
        if CODES in self.heads and CODES not in kept:
            found |= {f"heads.{CODES}.{name}": array for name, array in self.heads[CODES].initial(seed).items()}
        return found


def behind(recipe: Recipe, source: ModelFolder) -> Behind:
    """What stands behind the trunk; no array is read or drawn. Heads on token states do not train.

    Raises CallError where the source's files do not fit, or only heads would train and there are none.
    """
    heads = {name: head for name, head in head_files.listed(source).items() if not head.on_tokens}
    shapes, folder, given = dense_files.shapes(source.path, source.dense), source, source.dimensions
    if recipe.dense and recipe.dense != given:
        module = DenseModule(f"{2 + len(source.dense)}_Dense", given, recipe.dense, bias=False)
        folder = replace(source, dense=(*source.dense, module))
        shapes |= {f"{module.path}.{name}": shape for name, shape in dense_files.dense_shapes(module).items()}
        if heads:
            raise CallError(f"{source.path} has heads for {given} features; dense = {recipe.dense} would change them")
    if recipe.fsq:
        heads[CODES] = Fsq(folder.dimensions, recipe.fsq_levels)
    full = {f"dense.{name}": shape for name, shape in shapes.items()}
    full |= {f"heads.{name}.{own}": shape for name, head in heads.items() for own, shape in head.shapes().items()}
    if recipe.train == "heads" and not full:
        raise CallError(
            "--train heads leaves the trunk as it is, and there is nothing behind it to train; add --fsq or --dense"
        )
    return Behind(source, folder, heads, full)


def _require_plain(recipe: Recipe, folder: ModelFolder) -> None:
    if folder.quantization and recipe.train == "full":
        raise CallError(
            f"{folder.path} is quantized to {folder.quantization['bits']} bits, and such weights take no gradient. "
            "Train an adapter beside them (--train lora), or heads (--train heads); or make plain weights of them: "
            f"metaembed convert {folder.path} OUT"
        )
