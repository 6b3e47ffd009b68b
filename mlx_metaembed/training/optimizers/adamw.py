"""AdamW with decoupled decay and bias correction: 8 bytes a parameter for its two moments, all float32.

Pure arithmetic on a parameter, its gradient and its moments; each number by itself.
"""

import math
from collections.abc import Sequence

from mlx_metaembed.xp import Array, namespace

BETAS = (0.9, 0.999)
EPSILON = 1e-8
BY_ROWS = True
KERNEL = "adamw"
"""torch's fused kernel is this arithmetic in one pass over the numbers, with these betas and this epsilon."""


def initial(parameter: Array) -> list[Array]:
    """Moments of zero."""
    xp = namespace(parameter)
    return [xp.zeros_like(parameter), xp.zeros_like(parameter)]


def corrections(step: int) -> list[float]:
    """What the moments are divided by at step `step`, counted from 1, since they began at zero."""
    return [1 - BETAS[0] ** step, (1 - BETAS[1] ** step) ** 0.5]


def apply(parameter: Array, gradient: Array, state: Sequence[Array], scalars: Array) -> tuple[Array, list[Array]]:
    """The parameter and moments after a step. arXiv:1711.05101, algorithm 2."""
    first, second = moments(gradient, *state)
    return moved(parameter, first, second, scalars), [first, second]


def moments(gradient: Array, first: Array, second: Array) -> tuple[Array, Array]:
    """The running means of the gradient and of its square."""
    return first + (1 - BETAS[0]) * (gradient - first), second + (1 - BETAS[1]) * (gradient * gradient - second)


def moved(parameter: Array, first: Array, second: Array, scalars: Array) -> Array:
    """The parameter, decayed, against the corrected mean over the corrected deviation."""
    rate, keep, first_correction, second_correction = (scalars[at] for at in range(4))
    deviation = namespace(parameter).sqrt(second) / second_correction + EPSILON
    return parameter * keep - (rate / first_correction) * first / deviation


def state_bytes(shape: Sequence[int]) -> int:
    """Bytes of the state of a parameter."""
    return 8 * math.prod(shape)
