"""The Dense modules of sentence-transformers, `2_Dense`: one text of the mathematics."""

from collections.abc import Mapping

from mlx_metaembed.errors import CallError
from mlx_metaembed.folder.module_types import DenseModule
from mlx_metaembed.xp import Array, namespace

ACTIVATIONS = {
    "torch.nn.modules.linear.Identity": lambda x: x,
    "torch.nn.modules.activation.Tanh": lambda x: namespace(x).tanh(x),
}


def dense(module: DenseModule, weights: Mapping[str, Array], x: Array) -> Array:
    """A sentence-transformers Dense module on vectors [..., in_features]; gives [..., out_features].

    Raises CallError where its activation is not known.
    """
    if module.activation_function not in ACTIVATIONS:
        raise CallError(
            f"{module.path}: activation {module.activation_function!r} is not supported; known: "
            + ", ".join(ACTIVATIONS)
        )
    xp, given = namespace(x), x
    x = xp.matmul(x, weights["linear.weight"].T)
    x = ACTIVATIONS[module.activation_function](x + weights["linear.bias"] if module.bias else x)
    if not module.use_residual:
        return x
    return x + (xp.matmul(given, weights["residual.weight"].T) if "residual.weight" in weights else given)
