"""The loss at each width and of each code head, for people to read: computed some hundred times a run."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from mlx_metaembed.engine import Engine, Objective
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.parameters import dense_weights
from mlx_metaembed.heads import Head
from mlx_metaembed.layers.pooling import finish
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.batches import Batch
from mlx_metaembed.training.objective import objective
from mlx_metaembed.xp import Array, stop_gradient

TIMES = 100
"""How often in a run."""


def due(step: int, steps: int) -> bool:
    """Whether the losses are computed at a step: the first, the last, and some between."""
    return step in (1, steps) or step % max(1, steps // TIMES) == 0


def watched(scored: Objective, pooled: ModelFolder | None, seen: Callable[[Array], None]) -> Objective:
    """The same objective, which shows `seen` the final vectors [n, D] that it is given."""

    def shown(vectors: Array, parameters: Mapping[str, Array]) -> Array:
        final = finish(vectors, pooled, dense_weights(pooled, parameters)) if pooled else vectors
        seen(stop_gradient(final))
        return scored(vectors, parameters)

    return shown


def losses(recipe: Recipe, heads: Mapping[str, Head], engine: Engine, batch: Batch, vectors: Array) -> dict[str, float]:
    """`{"loss@384": ..., "loss@codes": ...}` of a batch's vectors [n, D]; empty where there is one loss alone."""
    if len(recipe.matryoshka) + len(heads) < 2:
        return {}
    plain = replace(recipe, matryoshka=(), matryoshka_weights=())
    found = {
        f"loss@{width}": objective(replace(plain, matryoshka=(width,)), {}, engine, batch)(vectors, {})
        for width in recipe.matryoshka
    }
    found |= {f"loss@{name}": objective(plain, {}, engine, batch)(engine.head(name, vectors), {}) for name in heads}
    return {name: float(engine.numpy(value)) for name, value in found.items()}
