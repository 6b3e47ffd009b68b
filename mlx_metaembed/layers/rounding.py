"""A matrix as affine rounding will leave it, with the gradient of the matrix itself. arXiv:1308.3432, section 4.

The grid spans each group of numbers from the least to the greatest, as `quantizers.affine.span` has it.
"""

from mlx_metaembed.xp import Array, namespace, stop_gradient


def straight_through(weight: Array, bits: int, group_size: int) -> Array:
    """A matrix float32 [R, C] with every number at its place on the grid of its group of numbers of a row."""
    xp = namespace(weight)
    groups = stop_gradient(weight).reshape(-1, group_size)
    low = -xp.max(-groups, axis=-1, keepdims=True)
    scale = (xp.max(groups, axis=-1, keepdims=True) - low) / (2**bits - 1)
    # A group of equal numbers has one code, 0.
    codes = xp.round((groups - low) / xp.where(scale > 0, scale, 1.0))
    return weight + stop_gradient((codes * scale + low).reshape(*weight.shape) - weight)
