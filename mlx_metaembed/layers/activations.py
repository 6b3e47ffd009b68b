"""Activations by transformers' names (its ACT2FN), over any engine's arrays.

`prelu` and `xielu` are not here: they have weights of their own.
"""

from collections.abc import Callable

from mlx_metaembed.xp import Array, gelu, gelu_tanh, namespace, normal_distribution, relu, softplus


def clipped(x: Array, low: float, high: float) -> Array:
    """`x` between two numbers."""
    xp = namespace(x)
    return xp.where(x > high, high, xp.where(x < low, low, x))


def relu6(x: Array) -> Array:
    """`x` between 0 and 6."""
    return clipped(x, 0.0, 6.0)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), by tanh, which does not overflow."""
    return 0.5 * (1 + namespace(x).tanh(0.5 * x))


def silu(x: Array) -> Array:
    """x sigmoid(x)."""
    return x * sigmoid(x)


def quick_gelu(x: Array) -> Array:
    """GELU by a logistic curve, as CLIP was trained."""
    return x * sigmoid(1.702 * x)


def hardswish(x: Array) -> Array:
    """x relu6(x + 3) / 6."""
    return x * relu6(x + 3) * (1 / 6)


def laplace(x: Array) -> Array:
    """The normal distribution function that is nearest to relu(x)^2. arXiv:2209.10655."""
    return normal_distribution((x - 0.707107) * (1 / 0.282095))


def leaky_relu(x: Array, slope: float = 0.01) -> Array:
    """`x` above 0, a share of it below."""
    return namespace(x).where(x > 0, x, slope * x)


def mish(x: Array) -> Array:
    """x tanh(log(1 + exp(x))). arXiv:1908.08681."""
    return x * namespace(x).tanh(softplus(x))


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": gelu,
    "gelu_10": lambda x: clipped(gelu(x), -10.0, 10.0),
    "gelu_accurate": gelu_tanh,
    "gelu_fast": gelu_tanh,
    "gelu_new": gelu_tanh,
    "gelu_python": gelu,
    "gelu_python_tanh": gelu_tanh,
    "gelu_pytorch_tanh": gelu_tanh,
    "hardswish": hardswish,
    "laplace": laplace,
    "leaky_relu": leaky_relu,
    "linear": lambda x: x,
    "mish": mish,
    "quick_gelu": quick_gelu,
    "relu": relu,
    "relu2": lambda x: relu(x) * relu(x),
    "relu6": relu6,
    "sigmoid": sigmoid,
    "silu": silu,
    "sqrtsoftplus": lambda x: namespace(x).sqrt(softplus(x)),
    "swish": silu,
    "tanh": lambda x: namespace(x).tanh(x),
}
