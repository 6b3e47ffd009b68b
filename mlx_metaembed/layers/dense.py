"""The Dense modules of sentence-transformers, `2_Dense`: one text of the mathematics."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlx_metaembed.layers.dense_activations import activation
from mlx_metaembed.xp import Array, namespace

if TYPE_CHECKING:
    from mlx_metaembed.folder.module_types import DenseModule


def dense(module: "DenseModule", weights: Mapping[str, Array], x: Array) -> Array:
    """A sentence-transformers Dense module on vectors [..., in_features]; gives [..., out_features]."""
    xp, given = namespace(x), x
    x = xp.matmul(x, weights["linear.weight"].T)
    x = activation(module.activation_function)(x + weights["linear.bias"] if module.bias else x)
    if not module.use_residual:
        return x
    return x + (xp.matmul(given, weights["residual.weight"].T) if "residual.weight" in weights else given)
