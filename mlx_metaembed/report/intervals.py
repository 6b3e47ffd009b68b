"""Figures with their intervals, as rows hold them and as tables show them.

Beside `ndcg@10` a row may have `ndcg@10_low` and `_high`, and the difference to another row, `ndcg@10_difference`, with
its ends and `ndcg@10_p`. These belong to the figure and are none of their own.
"""

from collections.abc import Collection, Mapping

from mlx_metaembed.report import units
from mlx_metaembed.report.markup import tag, text

ENDINGS = ("_low", "_high", "_difference", "_difference_low", "_difference_high", "_p", "_threshold")


def belongs(key: str, keys: Collection[str]) -> bool:
    """Whether a column belongs to another one of the columns."""
    return any(key.endswith(ending) and key.removesuffix(ending) in keys for ending in ENDINGS)


def ends(row: Mapping[str, object] | None, key: str) -> tuple[float, float] | None:
    """Both ends of a figure's interval; None where the row has none."""
    low, high = (units.finite((row or {}).get(f"{key}_{end}")) for end in ("low", "high"))
    return None if low is None or high is None else (low, high)


def shown(row: Mapping[str, object] | None, key: str) -> str:
    """A figure as markup, its interval in small below; a dash where there is none."""
    value = units.finite((row or {}).get(key))
    if value is None:
        return units.DASH
    return text(units.quality(value)) + range_of(row, key)


def range_of(row: Mapping[str, object] | None, key: str, *, signed: bool = False) -> str:
    """The interval of a figure as markup, nothing where there is none."""
    found = ends(row, key)
    return tag("span", text(written(found, signed=signed)), class_="range") if found else ""


def written(found: tuple[float, float], *, signed: bool = False) -> str:
    """An interval in words: `0.870 to 0.892`, or signed `−0.010 to +0.004`."""
    write = units.signed if signed else units.quality
    return f"{write(found[0])} to {write(found[1])}"


def difference(row: Mapping[str, object] | None, key: str) -> tuple[str, int]:
    """The row's difference to another one as markup, with its interval, and its sign: 0 where the interval has 0."""
    value, found = units.finite((row or {}).get(f"{key}_difference")), ends(row, f"{key}_difference")
    if value is None:
        return units.DASH, 0
    sign = (value > 0) - (value < 0)
    if found and found[0] <= 0 <= found[1]:
        sign = 0
    return text(units.signed(value)) + range_of(row, f"{key}_difference", signed=True), sign
