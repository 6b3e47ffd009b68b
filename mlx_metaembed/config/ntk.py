"""The waves of rotary positions stretched for long contexts, as Alibaba's `new` has them (`ntk`). No engine.

They are stretched at every length, not only past the trained one.
"""

import math
from collections.abc import Mapping


def declared(config: Mapping) -> Mapping | None:
    """The `rope_scaling` of a configuration where its type is `ntk`, else None."""
    found = config.get("rope_scaling") or {}
    return found if found.get("type", found.get("rope_type")) == "ntk" else None


def faults(config: Mapping) -> list[str]:
    """What is missing of `ntk` in a configuration, one line each."""
    found = declared(config)
    return ["rope_scaling of type 'ntk' needs factor, which is missing"] if found and "factor" not in found else []


def periods(dims: int, theta: float, factor: float, exponent: float | None = None) -> list[float]:
    """Tokens a radian of each pair, dims / 2 of them (kexue.fm/archives/9706, equations 6 and 10).

    Without an exponent (`mixed_b`) the base grows by the factor, and every wave by factor ** (2 / dims); with one, the
    waves grow more from pair to pair, the last by the whole factor.
    """
    pairs = range(dims // 2)
    if exponent is None:
        return [(theta * factor) ** (2 * at / dims) * factor ** (2 / dims) for at in pairs]
    return [theta ** (2 * at / dims) * math.exp(math.log(factor) * (2 * (at + 1) / dims) ** exponent) for at in pairs]
