"""Rotary positions: what a configuration says of them, in either form, and the turning itself.

transformers 5 nests `rope_theta` in `rope_parameters`, older configurations have it beside `rope_scaling`: a reader of
one form turns by the wrong angles and says nothing. Where both stand there, transformers' order is kept.
"""

import math
from collections.abc import Mapping

import mlx.core as mx

KINDS = {
    "default": (),
    "linear": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
}
"""The kinds of scaling that are computed, and the numbers that each needs."""
THETA = 10_000.0
"""transformers' base where the configuration has none."""


def settings(
    *, theta: float | None, scaling: Mapping | None, parameters: Mapping | None, positions: int | None = None
) -> dict:
    """One dict with `rope_type`, `rope_theta` and the kind's numbers, from a configuration's keys of either form.

    `positions` is the trained length of llama3's scaling where that names none.
    """
    found = {name: value for name, value in (scaling or parameters or {}).items() if value is not None}
    found.setdefault("rope_type", found.pop("type", "default"))
    found.setdefault("rope_theta", theta or THETA)
    if found["rope_type"] == "llama3" and positions:
        found.setdefault("original_max_position_embeddings", positions)
    return found


def faults(found: Mapping) -> list[str]:
    """What cannot be computed of `settings`, one line each."""
    kind = found["rope_type"]
    if kind not in KINDS:
        return [f"rope_type = {kind!r} is not supported; one of {', '.join(KINDS)}"]
    wrong = [f"rope_type {kind!r} needs {name}, which is missing" for name in KINDS[kind] if name not in found]
    if found.get("partial_rotary_factor", 1) != 1:
        wrong.append(f"partial_rotary_factor = {found['partial_rotary_factor']!r} is not supported")
    layered = [name for name, value in found.items() if isinstance(value, Mapping)]
    if layered:
        wrong.append(f"rope_parameters for {', '.join(layered)} apart are not supported")
    return wrong


class Rope:
    """Turns queries or keys [B, heads, L, dims] by their places 0, 1, ... in the row.

    A padded row counts its padding too, as transformers does where it is given no positions: turned vectors meet only
    by the difference of their places, so that padding on the left changes nothing but the last bits.
    """

    def __init__(self, dims: int, found: Mapping, *, traditional: bool = False):
        """`traditional` turns neighbouring features together, not those half a head apart."""
        self.dims, self.traditional = dims, traditional
        self.base: float | None = found["rope_theta"]
        self.scale = 1 / found["factor"] if found["rope_type"] == "linear" else 1.0
        self.periods = None
        if found["rope_type"] == "llama3":
            self.base, self.periods = None, mx.array(llama3(dims, found))

    def __call__(self, x: mx.array) -> mx.array:
        return mx.fast.rope(
            x, self.dims, traditional=self.traditional, base=self.base, scale=self.scale, offset=0, freqs=self.periods
        )


def llama3(dims: int, found: Mapping) -> list[float]:
    """Tokens a radian of each pair, dims / 2 of them: long waves stretched, short ones kept (arXiv:2407.21783, 3.2)."""
    factor, low, high = (float(found[name]) for name in ("factor", "low_freq_factor", "high_freq_factor"))
    trained = found["original_max_position_embeddings"]
    periods = []
    for pair in range(0, dims, 2):
        period = float(found["rope_theta"]) ** (pair / dims)
        turns = trained / (2 * math.pi * period)
        # 1 where the wave is short, 0 where the trained length did not hold `low` of it.
        kept = min(max((turns - low) / (high - low), 0.0), 1.0)
        periods.append(1 / (kept / period + (1 - kept) / (factor * period)))
    return periods
