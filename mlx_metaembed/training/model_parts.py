"""What a recipe trains in a model: parts of the trunk or an adapter beside it, and what stands behind the trunk."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mlx_metaembed import adapters
from mlx_metaembed import heads as head_files
from mlx_metaembed import recipe as recipes
from mlx_metaembed.adapters import Adapter
from mlx_metaembed.data.rows import Rows
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.folder import ModelFolder, dense_files
from mlx_metaembed.folder.module_types import MULTI_VECTOR, SPLADE, DenseModule
from mlx_metaembed.folder.parameters import TRUNK, behind_trunk
from mlx_metaembed.heads import Head
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.long_form import long_form
from mlx_metaembed.training import code_tables, head_tables, trainable


def trunk(recipe: Recipe, folder: ModelFolder) -> tuple[Adapter | None, set[str]]:
    """The adapter, new or the folder's own, and the full names of what is frozen.

    Raises CallError where the folder's weights can't train as the recipe says.
    """
    _require_plain(recipe, folder)
    _require_a_place(recipe, folder)
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
    elif (recipe.num_layers or recipe.target_modules) and set(trainable.linear_layers(recipe, folder)) != set(
        adapter.modules
    ):
        raise CallError(
            f"{folder.path} is a {adapter.kind} adapter of layers of its own, and goes on with all of them; "
            "num_layers and target_modules choose those of a new adapter"
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
    _require_a_place(recipe, folder)
    still = trainable.frozen(recipe, folder)
    found = {name: tensor.shape for name, tensor in folder.trunk().items() if name not in still}
    if recipe.train in ("lora", "dora"):
        for path, shape in trainable.linear_layers(recipe, folder).items():
            found |= adapters.shapes(path, *shape, rank=recipe.lora_rank, dora=recipe.train == "dora")
    return found


ELSEWHERE = {SPLADE, MULTI_VECTOR}
"""Heads that other tools' files may hold."""


@dataclass(frozen=True)
class PostTrunk:
    """What stands behind the trunk of a run from `source`: `folder` has the recipe's new Dense module, `heads` those
    that train; `shapes` are those of the parameters of all of them, by full name.
    """

    source: ModelFolder
    folder: ModelFolder
    heads: dict[str, Head]
    shapes: dict[str, tuple[int, ...]]
    starts: dict[str, str]

    @property
    def on_tokens(self) -> bool:
        """Whether a head reads the states of all tokens, which no pooled vector tells."""
        return any(head.on_tokens for head in self.heads.values())

    def arrays(self, seed: int) -> dict[str, np.ndarray]:
        """The parameters by full name: the source's own, and new ones as they begin.

        A new Dense module begins as the first features of what comes in.
        """
        before, stored = _own_heads(self.source, self.heads)
        kept = _kept(before, self.heads)
        found = behind_trunk(
            self.source, {name: array for name, array in stored.items() if name.partition(".")[0] in kept}
        )
        for module in self.folder.dense[len(self.source.dense) :]:
            name = f"dense.{module.path}.linear.weight"
            found[name] = np.eye(module.out_features, module.in_features, dtype=np.float32)
        for name in (name for name in self.heads if name not in kept):
            found |= {f"heads.{name}.{own}": array for own, array in self.heads[name].initial(seed).items()}
        return found


def post_trunk(recipe: Recipe, source: ModelFolder) -> PostTrunk:
    """What stands behind the trunk in a run of a recipe; no array is read or drawn.

    A Dense module or head of the recipe's sizes that is there already goes on; heads that no objective names stay as
    they are. Raises CallError where the source's files do not fit, where what was trained would be replaced, or where
    only heads would train and there are none.
    """
    behind, wrong = described(recipe, source)
    if wrong:
        raise faults("The recipe is wrong:", wrong)
    return behind


def described(recipe: Recipe, source: ModelFolder) -> tuple[PostTrunk, list[str]]:
    """What post_trunk gives, as far as it is right, and the faults of the recipe in it.

    Raises CallError where the source's files do not fit.
    """
    given, recipe = recipe, long_form(recipe, head_tables.codes(source))
    named = {name for each in recipe.objectives for name in each.names}
    named |= {table.name for table in recipe.heads}
    listed = head_files.every(source)[0] if named & ELSEWHERE else head_files.listed(source)
    shapes, folder = dense_files.shapes(source.path, source.dense), source
    added = next((table for table in recipe.heads if table.type == "dense"), None)
    wrong = head_tables.dense_faults(added) if added else []
    features = added.settings["features"] if added and not wrong else None
    if features and not (source.dense and features == source.dimensions):
        module = DenseModule(f"{2 + len(source.dense)}_Dense", source.dimensions, features, bias=False)
        folder = replace(source, dense=(*source.dense, module))
        shapes |= {f"{module.path}.{name}": shape for name, shape in dense_files.dense_shapes(module).items()}
        if any(not head.on_tokens for head in listed.values()):
            wrong.append(
                f"{source.path} has heads for {source.dimensions} features; dense = {features} would change them"
            )
    heads, of_heads = head_tables.heads(recipe, folder, listed)
    wrong += of_heads
    full = {f"dense.{name}": shape for name, shape in shapes.items()}
    full |= {f"heads.{name}.{own}": shape for name, head in heads.items() for own, shape in head.shapes().items()}
    if not wrong:
        if recipe.train == "heads" and not full:
            wrong.append(
                "--train heads leaves the trunk as it is, and there is nothing behind it to train; add --fsq or --dense"
            )
        wrong += _unused(given, folder, heads)
    kept = _kept(listed, heads)
    starts = {name: start for name, start in code_tables.starts(recipe, heads).items() if name not in kept}
    return PostTrunk(source, folder, heads, full, starts), wrong


def _kept(before: Mapping[str, Head], heads: Mapping[str, Head]) -> list[str]:
    """The names of the heads that go on from the weights that they have."""
    return [name for name, head in heads.items() if before.get(name) == head]


def with_labels(recipe: Recipe, behind: PostTrunk, rows: Mapping[str, Rows]) -> tuple[Recipe, PostTrunk]:
    """The recipe and what stands behind the trunk, whose heads for classes have the labels of the data where it gives
    none. Raises CallError where the data has none, or other ones than a head that goes on."""
    long = long_form(recipe, head_tables.codes(behind.source))
    if not head_tables.lacking_labels(long):
        return recipe, behind
    recipe = replace(recipe, heads=head_tables.with_labels(long, rows).heads, dense=None, fsq="")
    return recipe, post_trunk(recipe, behind.source)


def _own_heads(source: ModelFolder, heads: Mapping[str, Head]) -> tuple[dict[str, Head], dict[str, np.ndarray]]:
    """The model's own heads and their weights; those of other tools' files are read only where one of them trains."""
    return head_files.every(source) if heads.keys() & ELSEWHERE else head_files.read(source)


def at_head_rate(recipe: Recipe, folder: ModelFolder) -> tuple[str, ...]:
    """What the full names begin with of the parameters that learn at `head_learning_rate`.

    Heads, and the Dense module that the recipe names; the folder's own only where the trunk does not train.
    """
    modules = folder.dense if recipe.train == "heads" else folder.dense[-1:] if _adds_dense(recipe) else ()
    return ("heads.", *(f"dense.{module.path}." for module in modules))


def _adds_dense(recipe: Recipe) -> bool:
    return recipe.dense is not None or any(table.type == "dense" for table in recipe.heads)


def _unused(recipe: Recipe, folder: ModelFolder, heads: Mapping[str, Head]) -> list[str]:
    """What is wrong with settings of heads where there are none; `recipe` is as it was given."""
    missing = {"fsq_weight": not heads and "a code head (fsq)"}
    if len(at_head_rate(recipe, folder)) == 1:
        missing["head_learning_rate"] = not heads and "heads and an added Dense module (fsq, dense)"
    return [
        f"{name} = {getattr(recipe, name):g} belongs to {what}, and the run has none"
        for name, what in missing.items()
        if what and getattr(recipe, name) != recipes.default(name)
    ]


def _require_plain(recipe: Recipe, folder: ModelFolder) -> None:
    if folder.quantization and recipe.train == "full":
        raise CallError(
            f"{folder.path} is quantized to {folder.quantization['bits']} bits, and such weights take no gradient. "
            "Train an adapter beside them (--train lora), or heads (--train heads); or make plain weights of them: "
            f"metaembed convert {folder.path} OUT"
        )


def _require_a_place(recipe: Recipe, folder: ModelFolder) -> None:
    """Raise CallError where a masked-language-model head would train beside an adapter, whose files do not hold it."""
    if SPLADE not in {name for each in recipe.objectives for name in each.names}:
        return
    if recipe.train in ("lora", "dora"):
        raise CallError(
            f"train = {recipe.train!r} leaves an adapter, which has no place for the head {SPLADE!r}: it lies with the "
            "trunk. Train it with train = 'full' or 'heads', or train a head of the type lexical"
        )
    if (folder.path / adapters.FILE).is_file():
        raise CallError(
            f"{folder.path} is an adapter, which has no place for the head {SPLADE!r}: it lies with the trunk. Fuse it "
            f"first: metaembed export {folder.path} OUT --to sentence-transformers"
        )
