"""Activations by their Hugging Face names; GELU has a second form for processors.

MLX's processor backend computes erf and exp one element at a time, which makes GELU the dearest part of a small
encoder there. A ratio of polynomials is fused and vectorised instead: about a fifth of the time, equal to 1e-6.
"""

import math

import mlx.core as mx
import mlx.nn as nn

from mlx_metaembed.layers import activations
from mlx_metaembed.xp import gelu_tanh

# erf(x) = x P(x^2) / Q(x^2) on [-4, 4]; beyond, erf is 1 in float32. Eigen's coefficients, highest power first.
P = (
    -2.72614225801306e-10,
    2.77068142495902e-08,
    -2.10102402082508e-06,
    -5.69250639462346e-05,
    -7.34990630326855e-04,
    -2.95459980854025e-03,
    -1.60960333262415e-02,
)
Q = (
    -1.45660718464996e-05,
    -2.13374055278905e-04,
    -1.68282697438203e-03,
    -7.37332916720468e-03,
    -1.42647390514189e-02,
)
# exp(-t) on [0, 0.6] by its series, highest power first.
SERIES = tuple((-1) ** k / math.factorial(k) for k in range(8, -1, -1))


def gelu(x: mx.array) -> mx.array:
    """x times the normal distribution function of x."""
    return gelu_on_processor(x) if mx.default_device() == mx.Device(mx.cpu) else nn.gelu(x)


@mx.custom_function
def gelu_on_processor(x: mx.array) -> mx.array:
    """GELU without erf or exp, float32 inside; any shape."""
    return _value(x)


@gelu_on_processor.vjp
def _gelu_vjp(x: mx.array, cotangent: mx.array, _output: mx.array) -> mx.array:
    return _slope(x, cotangent)


def _horner(coefficients: tuple[float, ...], x: mx.array) -> mx.array:
    total = coefficients[0] * x + coefficients[1]
    for coefficient in coefficients[2:]:
        total = total * x + coefficient
    return total


def _distribution(x: mx.array) -> mx.array:
    scaled = mx.minimum(mx.maximum(x * math.sqrt(0.5), -4.0), 4.0)
    square = scaled * scaled
    return 0.5 + 0.5 * scaled * _horner(P, square) / _horner(Q, square)


@mx.compile
def _value(x: mx.array) -> mx.array:
    wide = x.astype(mx.float32)
    return (wide * _distribution(wide)).astype(x.dtype)


@mx.compile
def _slope(x: mx.array, cotangent: mx.array) -> mx.array:
    wide = x.astype(mx.float32)
    # Beyond 6 the density is below 1e-8. Its exponent s, x^2 / 2, is at most 18: exp(-s) is exp(-s / 32)^32.
    near = mx.minimum(mx.maximum(wide, -6.0), 6.0)
    power = _horner(SERIES, near * near * (1 / 64))
    for _ in range(5):
        power = power * power
    density = power * (1 / math.sqrt(2 * math.pi))
    return ((_distribution(wide) + near * density) * cotangent.astype(mx.float32)).astype(x.dtype)


ACTIVATIONS = activations.ACTIVATIONS | {
    "gelu": gelu,
    "gelu_python": gelu,
    "gelu_10": lambda x: mx.clip(gelu(x), -10, 10),
    "relu": nn.relu,
    "silu": nn.silu,
    "swish": nn.silu,
}
"""The shared texts, and those for which MLX has a faster form."""
ACTIVATIONS |= {name: nn.gelu_approx for name, form in ACTIVATIONS.items() if form is gelu_tanh}
