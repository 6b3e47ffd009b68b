"""Rotary positions: queries and keys are turned by their places, in waves that config/rope_scaling.py gives.

transformers 5 nests `rope_theta` in `rope_parameters`, older configurations have it beside `rope_scaling`: a reader of
one form turns by the wrong angles and says nothing. Where both stand there, transformers' order is kept.
"""

from collections.abc import Callable, Mapping

import mlx.core as mx

from mlx_metaembed.config import rope_scaling
from mlx_metaembed.config.rope_scaling import faults, settings  # noqa: F401  (read by the encoders)


class Rope:
    """Turns queries or keys [B, heads, L, dims] by their places 0, 1, ... in the row.

    A padded row counts its padding too, as transformers does where it is given no positions: turned vectors meet only
    by the difference of their places, so that padding on the left changes nothing but the last bits.
    """

    def __init__(self, dims: int, found: Mapping, *, traditional: bool = False):
        """`traditional` turns neighbouring features together, not those half a head apart."""
        self.dims, self.traditional, self._found = dims, traditional, found
        self.base: float | None = found["rope_theta"]
        self.scale = 1 / found["factor"] if found["rope_type"] == "linear" else 1.0
        self.strength = rope_scaling.strength(found)
        self.periods = None
        if found["rope_type"] in ("llama3", "yarn", "longrope"):
            self.base, self.periods = None, mx.array(rope_scaling.periods(dims, found))

    def __call__(self, x: mx.array) -> mx.array:
        return mx.fast.rope(
            x if self.strength == 1 else x * self.strength,
            self.dims,
            traditional=self.traditional,
            base=self.base,
            scale=self.scale,
            offset=0,
            freqs=self.periods,
        )

    def of(self, mask: mx.array) -> Callable[[mx.array], mx.array]:
        """What turns the queries and keys of texts with the mask bool [B, L]: of a kind that changes with a text's
        length, each by its own."""
        kind = self._found["rope_type"]
        if kind not in rope_scaling.BY_LENGTH or mask.shape[1] <= self._found[rope_scaling.TRAINED]:
            return self
        periods = rope_scaling.own_periods(self.dims, self._found, mask.sum(axis=1).astype(mx.float32))
        angles = mx.arange(mask.shape[1])[None, :, None] / periods[:, None, :]
        cos, sin = mx.cos(angles)[:, None] * self.strength, mx.sin(angles)[:, None] * self.strength

        def turn(x: mx.array) -> mx.array:
            left, right = mx.split(x.astype(mx.float32), 2, axis=-1)
            return mx.concatenate([left * cos - right * sin, right * cos + left * sin], axis=-1).astype(x.dtype)

        return turn
