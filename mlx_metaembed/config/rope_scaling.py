"""The waves of rotary positions, by kind of scaling: tokens a radian of each pair of features. No engine.

Two kinds (`dynamic`, `longrope`) change past the trained length. transformers takes the longest text of a batch, and
keeps the angles of the longest one seen; here each text has those of its own length, as it has in transformers alone:
a vector does not depend on its neighbours.
"""

import math
from collections.abc import Mapping

from mlx_metaembed.xp import Array, constant, namespace

TRAINED = "original_max_position_embeddings"
KINDS = {
    "default": (),
    "linear": ("factor",),
    "dynamic": ("factor", TRAINED),
    "yarn": ("factor", TRAINED),
    "longrope": ("short_factor", "long_factor", TRAINED),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", TRAINED),
}
"""The kinds of scaling that are computed, and what each needs."""
BY_LENGTH = ("dynamic", "longrope")
THETA = 10_000.0
"""transformers' base where the configuration has none."""


def settings(
    *,
    theta: float | None,
    scaling: Mapping | None,
    parameters: Mapping | None,
    positions: int | None = None,
    trained: int | None = None,
    apart: bool = False,
) -> dict:
    """One dict with `rope_type`, `rope_theta` and the kind's numbers, from a configuration's keys of either form.

    `positions` is the configuration's max_position_embeddings, `trained` its original_max_position_embeddings, which
    goes before the scaling's own. `apart`: these are the settings of one kind of layer.
    """
    found = {name: value for name, value in (scaling or parameters or {}).items() if value is not None}
    found.setdefault("rope_type", found.pop("type", "default"))
    found.setdefault("rope_theta", theta or THETA)
    kind = found["rope_type"]
    if kind == "dynamic" and positions:
        # transformers reads no other length for this kind.
        found[TRAINED] = positions
    elif TRAINED in KINDS.get(kind, ()):
        if trained:
            found[TRAINED] = trained
        elif positions:
            found.setdefault(TRAINED, positions)
    if apart:
        # transformers reads it where all layers have the same.
        found.pop("truncate", None)
    if kind == "longrope" and positions and isinstance(found.get(TRAINED), int) and found[TRAINED] > 0:
        found.setdefault("factor", positions / found[TRAINED])
    return found


def faults(found: Mapping, dims: int | None = None, *, by_length: bool = False) -> list[str]:
    """What cannot be computed of `settings` for heads of `dims` features, one line each.

    `by_length`: the encoder knows its texts' lengths, so that kinds that change with them can be had.
    """
    kind = found["rope_type"]
    known = [name for name in KINDS if by_length or name not in BY_LENGTH]
    if kind not in known:
        return [f"rope_type = {kind!r} is not supported; one of {', '.join(known)}"]
    wrong = [f"rope_type {kind!r} needs {name}, which is missing" for name in KINDS[kind] if name not in found]
    for name in [name for name in (*KINDS[kind], "rope_theta") if name in found]:
        value, rows = found[name], name in ("short_factor", "long_factor")
        values = value if rows and isinstance(value, list) else [value]
        if not all(isinstance(each, int | float) and each > 0 for each in values):
            wrong.append(f"{name} = {value!r:.80}, expected {'numbers' if rows else 'a number'} above 0")
        elif rows and dims and len(values) != dims // 2:
            wrong.append(f"{name} has {len(values)} numbers for heads of {dims} features, which need {dims // 2}")
    if kind == "dynamic" and dims == 2:
        wrong.append("rope_type 'dynamic' needs heads of more than 2 features")
    if found.get("partial_rotary_factor", 1) != 1:
        wrong.append(f"partial_rotary_factor = {found['partial_rotary_factor']!r} is not supported")
    layered = [name for name, value in found.items() if isinstance(value, Mapping)]
    if layered:
        wrong.append(f"rope_parameters for {', '.join(layered)} apart are not supported")
    return wrong


def periods(dims: int, found: Mapping) -> list[float]:
    """Tokens a radian of each pair, dims / 2 of them, in a text no longer than the trained length."""
    plain = [float(found["rope_theta"]) ** (pair / dims) for pair in range(0, dims, 2)]
    kind = found["rope_type"]
    if kind == "linear":
        return [found["factor"] * period for period in plain]
    if kind == "yarn":
        return yarn(dims, found, plain)
    if kind == "llama3":
        return llama3(found, plain)
    if kind == "longrope":
        return [factor * period for factor, period in zip(found["short_factor"], plain, strict=True)]
    return plain


def strength(found: Mapping) -> float:
    """What turned queries and keys are multiplied by: 1 but for yarn (arXiv:2309.00071, 3.4) and longrope."""
    kind = found["rope_type"]
    if kind not in ("yarn", "longrope"):
        return 1.0
    if found.get("attention_factor") is not None:
        return float(found["attention_factor"])
    factor = found.get("factor", 1.0)
    if kind == "longrope":
        return math.sqrt(1 + math.log(factor) / math.log(found[TRAINED])) if factor > 1 else 1.0

    def grown(by: float) -> float:
        return 0.1 * by * math.log(factor) + 1 if factor > 1 else 1.0

    both = found.get("mscale"), found.get("mscale_all_dim")
    return grown(both[0]) / grown(both[1]) if all(both) else grown(1)


def yarn(dims: int, found: Mapping, plain: list[float]) -> list[float]:
    """Long waves stretched by the factor, short ones kept, a ramp over the pairs between (arXiv:2309.00071, 3.2)."""

    def pair(turns: float) -> float:
        """The pair, not a whole one, whose wave turns so often in the trained length."""
        return dims * math.log(found[TRAINED] / (turns * 2 * math.pi)) / (2 * math.log(found["rope_theta"]))

    low, high = pair(found.get("beta_fast") or 32), pair(found.get("beta_slow") or 1)
    if found.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dims - 1)
    high += 0.001 if low == high else 0
    stretched = []
    for at, period in enumerate(plain):
        kept = 1 - min(max((at - low) / (high - low), 0.0), 1.0)
        stretched.append(1 / (kept / period + (1 - kept) / (found["factor"] * period)))
    return stretched


def llama3(found: Mapping, plain: list[float]) -> list[float]:
    """Long waves stretched, short ones kept (arXiv:2407.21783, 3.2)."""
    factor, low, high = (float(found[name]) for name in ("factor", "low_freq_factor", "high_freq_factor"))
    stretched = []
    for period in plain:
        turns = found[TRAINED] / (2 * math.pi * period)
        # 1 where the wave is short, 0 where the trained length did not hold `low` of it.
        kept = min(max((turns - low) / (high - low), 0.0), 1.0)
        stretched.append(1 / (kept / period + (1 - kept) / (factor * period)))
    return stretched


def own_periods(dims: int, found: Mapping, lengths: Array) -> Array:
    """Tokens a radian float32 [B, dims / 2] in texts of `lengths` tokens, float32 [B], of a kind in BY_LENGTH.

    longrope has one row of factors within the trained length and one past it (arXiv:2402.13753); dynamic has a base
    that grows with the length (reddit.com/r/LocalLLaMA/comments/14mrgpr).
    """
    xp = namespace(lengths)
    theta, trained = math.log(found["rope_theta"]), found[TRAINED]
    shares = [pair / dims for pair in range(0, dims, 2)]
    if found["rope_type"] == "longrope":
        short, long = (
            constant([[math.exp(theta * share) * by for share, by in zip(shares, found[name], strict=True)]], lengths)
            for name in ("short_factor", "long_factor")
        )
        return xp.where(lengths[:, None] > trained, long, short)
    factor = found["factor"]
    past = xp.where(lengths > trained, lengths, xp.zeros_like(lengths) + trained) / trained
    grown = theta + xp.log(factor * past - (factor - 1)) * (dims / (dims - 2))
    return xp.exp(grown[:, None] * constant([shares], lengths))
