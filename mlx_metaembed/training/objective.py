"""What a step minimises: the recipe's loss on the model's vectors, plus the same loss on each code head's output."""

from collections.abc import Mapping, Sequence
from functools import partial

from mlx_metaembed.engine import Engine, Objective
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.parameters import dense_weights, head_weights
from mlx_metaembed.heads import Head
from mlx_metaembed.layers.pooling import finish
from mlx_metaembed.losses import Loss, info_nce, matryoshka, triplet
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.batches import Batch
from mlx_metaembed.xp import Array, namespace


def loss_of(recipe: Recipe, dims: Sequence[int] = (), weights: Sequence[float] = ()) -> Loss:
    """The recipe's loss with its settings, at one width or the sum over several."""
    if recipe.loss == "triplet":
        loss = partial(triplet, distance=recipe.distance, margin=recipe.margin, soft_margin=recipe.soft_margin)
        return matryoshka(loss, dims, weights) if dims else loss
    return partial(
        info_nce,
        temperature=recipe.temperature,
        symmetric=recipe.symmetric,
        false_negative_margin=recipe.false_negative_margin,
        false_negative_ratio=recipe.false_negative_ratio,
        widths=dims,
        weights=weights,
    )


def objective(
    recipe: Recipe,
    heads: Mapping[str, Head],
    engine: Engine,
    batch: Batch,
    scale: float = 1.0,
    pooled: ModelFolder | None = None,
) -> Objective:
    """The scalar that a batch's vectors [n, D] and the heads' weights give, times `scale`.

    With `pooled` the vectors are what that folder's trunk gives, and its Dense modules and normalising come first.
    """
    loss = loss_of(recipe)
    on_vectors = loss_of(recipe, recipe.matryoshka, recipe.matryoshka_weights)
    anchors, positives = engine.array(batch.anchors), engine.array(batch.positives)
    negatives = None if batch.negatives is None else engine.array(batch.negatives.reshape(-1))
    mask = engine.array(batch.mask)

    def columns(vectors: Array) -> tuple[Array, Array, Array | None]:
        xp = namespace(vectors)
        rows, width = len(batch.anchors), vectors.shape[-1]
        picked = None if negatives is None else xp.take(vectors, negatives, axis=0).reshape(rows, -1, width)
        return xp.take(vectors, anchors, axis=0), xp.take(vectors, positives, axis=0), picked

    def total(vectors: Array, parameters: Mapping[str, Array]) -> Array:
        weights = head_weights(heads, parameters)
        if pooled:
            vectors = finish(vectors, pooled, dense_weights(pooled, parameters))
        value = on_vectors(*columns(vectors), mask)
        for name, head in heads.items():
            value = value + recipe.fsq_weight * loss(*columns(head(weights[name], vectors)), mask)
        return value * scale

    return total
