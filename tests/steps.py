"""An engine with a model and a batch, and one step on it."""

from pathlib import Path

import numpy as np
from tiny import TEXTS

from mlx_metaembed import engine as engines
from mlx_metaembed import folder as folders
from mlx_metaembed.engine import Engine
from mlx_metaembed.folder import task_adapters
from mlx_metaembed.folder.parameters import behind_trunk
from mlx_metaembed.heads import Fsq
from mlx_metaembed.inputs import token_store
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.long_form import long_form
from mlx_metaembed.training import batches
from mlx_metaembed.training.batches import Batch
from mlx_metaembed.training.gradcache import gradient
from mlx_metaembed.training.objective import Objective, passed, total
from mlx_metaembed.training.optimizers.rates import Optimizer

MANY = [f"{text} {number}" for number in range(3) for text in TEXTS]
ROWS = np.arange(9)
PAIRS = batches.TokenizedRows({"anchor": ROWS, "positive": ROWS + 9})


def objectives(recipe: Recipe, heads: dict) -> list[Objective]:
    """The objectives of a recipe's short form, on a model with these code heads."""
    return [
        Objective(
            *(table.name, table.data, table.head, LOSSES[table.loss](**table.settings), table.weight),
            widths=table.matryoshka,
            width_weights=table.matryoshka_weights,
        )
        for table in long_form(recipe, heads).objectives
    ]


def descend(
    recipe: Recipe, heads: dict, engine: Engine, batch: Batch, *, cached: bool, seed: int = 0, scale: float = 1.0
) -> float:
    """The total of a batch, once its gradient is in the engine's sums."""
    found = objectives(recipe, heads)
    summed = total(found, heads, engine, batch, scale)
    return gradient(engine, batch.chunks, passed(found, heads), summed, seed=seed, cached=cached)[0]


def loaded(
    engine_name: str,
    path: Path,
    *,
    dtype: str = "float32",
    dropout: float = 0.0,
    fsq: bool = False,
    train: bool = True,
    **settings: object,
):
    """An engine with a model, and one batch of nine rows in three chunks."""
    folder = folders.read(path)
    engine = engines.choose(engine_name)
    head = {"codes": Fsq(folder.dimensions, (4,) * 8)} if fsq else {}
    own = {f"codes.{name}": array for name, array in head["codes"].initial(0).items()} if fsq else {}
    arrays = behind_trunk(folder, own)
    engine.load(folder, dtype=dtype, heads=head, arrays=arrays, dropout=dropout, train=train, **settings)
    count = len(task_adapters.names(folder.config))
    # Every adapter, and none, among the texts.
    rows = [text % (count + 1) - 1 for text in range(len(MANY))] if count else None
    store = token_store.tokenize(Tokenizer(folder), MANY, tasks=rows)
    return engine, head, batches.batch(store, PAIRS, ROWS, pad_id=0, chunk_tokens=64)


class Descent:
    """A rule that steps down the gradient, and keeps each gradient by name."""

    by_rows, kernel, step = False, "", 1

    def __init__(self, engine, rate: float = 0.0):
        self.engine, self.rate, self.taken, self.name = engine, rate, {}, ""

    def initial(self, parameter) -> list:
        return []

    def scalars(self, name: str, shape) -> list[float]:
        self.name = name
        return [self.rate]

    def apply(self, parameter, gradient, state, scalars):
        self.taken[self.name] = self.engine.numpy(gradient)
        return parameter - scalars[0] * gradient, []


def one_step(engine_name: str, path: Path, *, cached: bool, seed: int = 5, **settings) -> tuple[float, float, dict]:
    """Loss, gradient norm and new masters after one large step of AdamW."""
    engine, head, batch = loaded(engine_name, path, **settings)
    assert len(batch.chunks) == 3
    recipe = Recipe(matryoshka=(32, 8), learning_rate=1e-2, head_learning_rate=1e-2, warmup_ratio=0.0)
    loss = descend(recipe, head, engine, batch, seed=seed, cached=cached)
    norm = engine.update(Optimizer(recipe, step=1, steps=1), divide=1, max_norm=0)
    return loss, norm, engine.save()[0]
