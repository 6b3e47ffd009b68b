"""The activations of Dense modules: torch.nn's elementwise ones as torch makes them without arguments, over any engine.

A module that has weights, mixes features or changes their number is none of them.
"""

from collections.abc import Callable

from mlx_metaembed.layers.activations import clipped, hardswish, leaky_relu, mish, relu6, sigmoid, silu
from mlx_metaembed.xp import Array, gelu, namespace, relu, softplus

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
PLACES = ("torch.nn.", "torch.nn.modules.", "torch.nn.modules.activation.")
"""Where torch has the same class."""


def known(name: object) -> bool:
    """Whether a configuration's `activation_function` can be computed."""
    return isinstance(name, str) and name in NAMES


def activation(name: str) -> Callable[[Array], Array]:
    """The function from an array to one of its shape."""
    return NAMES[name]


def _elu(x: Array, alpha: float = 1.0) -> Array:
    xp = namespace(x)
    # Above 0 the exponential could overflow, and its gradient with it.
    return xp.where(x > 0, x, alpha * (xp.exp(xp.minimum(x, xp.zeros_like(x))) - 1))


def _shrunk(x: Array) -> Array:
    return relu(x - 0.5) - relu(-x - 0.5)


def _hard_shrunk(x: Array) -> Array:
    xp = namespace(x)
    return xp.where(xp.abs(x) > 0.5, x, xp.zeros_like(x))


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "CELU": _elu,
    "ELU": _elu,
    "GELU": gelu,
    "Hardshrink": _hard_shrunk,
    "Hardsigmoid": lambda x: clipped(x / 6 + 0.5, 0.0, 1.0),
    "Hardswish": hardswish,
    "Hardtanh": lambda x: clipped(x, -1.0, 1.0),
    "LeakyReLU": leaky_relu,
    "LogSigmoid": lambda x: -softplus(-x),
    "Mish": mish,
    # Its slope is drawn while training; afterwards it is the mean of 1/8 and 1/3.
    "RReLU": lambda x: leaky_relu(x, 11 / 48),
    "ReLU": relu,
    "ReLU6": relu6,
    "SELU": lambda x: SELU_SCALE * _elu(x, SELU_ALPHA),
    "SiLU": silu,
    "Sigmoid": sigmoid,
    "Softplus": softplus,
    "Softshrink": _shrunk,
    "Softsign": lambda x: x / (1 + namespace(x).abs(x)),
    "Tanh": lambda x: namespace(x).tanh(x),
    "Tanhshrink": lambda x: x - namespace(x).tanh(x),
}
"""By torch's class."""
NAMES = {f"{place}{name}": function for name, function in ACTIVATIONS.items() for place in PLACES}
NAMES |= {f"{place}Identity": lambda x: x for place in ("torch.nn.", "torch.nn.modules.", "torch.nn.modules.linear.")}
"""By the dotted names that a configuration may have."""
