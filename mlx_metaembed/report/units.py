"""Numbers as people read them: bytes, seconds, shares, differences.

Bytes are decimal (1 MB = 1,000,000 B), as disks and Finder count them. A minus is the real one, as wide as a plus.
"""

import math
import re
from numbers import Integral, Real

from mlx_metaembed.cards.products import product
from mlx_metaembed.progress.duration import duration

DASH = "–"
NAMED = {"engine", "device", "optimizer", "loss", "trained", "arithmetic"}
"""Values that are products' names, which are written as their owners write them."""
_LARGEST = 1e100


def finite(value: object) -> float | None:
    """A number as float; None for everything else: missing, text, bool, NaN, infinite, beyond 1e100."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) < _LARGEST else None


def size(count: float) -> str:
    """Bytes: exact below 10,000, then three significant digits in kB, MB, GB, TB."""
    if abs(count) < 10_000:
        return f"{count:,.0f} B"
    for unit in ("KB", "MB", "GB", "TB"):
        count /= 1000
        if abs(count) < 999.5 or unit == "TB":
            break
    return f"{significant(count)} {unit}"


def significant(value: float) -> str:
    """Three significant digits, more where they stand before the point; no trailing zeros."""
    if value == 0:
        return "0"
    decimals = 2 - math.floor(math.log10(abs(value)))
    if not -12 <= decimals <= 6:
        return exponent(value)
    written = f"{value:,.{max(0, decimals)}f}"
    return _minus(written.rstrip("0").rstrip(".") if "." in written else written)


def exponent(value: float) -> str:
    """2e-5, 1.5e-5: at most three digits and a short exponent; 0 is 0."""
    if value == 0:
        return "0"
    mantissa, power = f"{value:.2e}".split("e")
    return _minus(f"{mantissa.rstrip('0').rstrip('.')}e{int(power)}")


def share(value: float) -> str:
    """0.043 as 4.3 %."""
    return f"{significant(100 * value)} %"


def quality(value: float) -> str:
    """A measure to three decimals; to one where it counts in hundreds."""
    return _minus(f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}")


def signed(value: float) -> str:
    """A difference of measures with its sign, to three decimals."""
    written = f"{value:+.3f}"
    return "0.000" if float(written) == 0 else _minus(written)


def milliseconds(seconds: float) -> str:
    """A short time to three significant digits: 3.21 ms, 1,240 ms."""
    return f"{significant(1000 * seconds)} ms"


def change(before: float, after: float) -> tuple[str, int]:
    """The signed difference of two measures as they are shown, and its sign: -1, 0 or 1."""
    decimals = 3 if max(abs(before), abs(after)) < 10 else 1
    difference = round(after - before, decimals)
    if difference == 0:
        return f"{0:.{decimals}f}", 0
    return _minus(f"{difference:+,.{decimals}f}"), 1 if difference > 0 else -1


def value(key: str, found: object) -> str:
    """A named value by the unit its name ends in: `_bytes`, `_s`, `_share` (and `padding`), else plain."""
    number = finite(found)
    if number is None:
        return DASH if found is None else product(str(found)) if key in NAMED else str(found)
    if "bytes" in key.split("_"):
        return size(number)
    if key.endswith(("_s", "_seconds")):
        return duration(number)
    if key.endswith("share") or key == "padding":
        return share(number)
    if key.endswith("learning_rate"):
        return exponent(number)
    return f"{int(found):,}" if isinstance(found, Integral) else significant(number)


def label(key: str) -> str:
    """A key as a heading: `peak_memory_bytes` is Peak memory, `ndcg@10` is nDCG@10."""
    known = {
        "ndcg": "nDCG",
        "mrr": "MRR",
        "map": "MAP",
        "bytes_per_vector": "Bytes a vector",
        "bytes_on_disk": "On disk",
        "kept_spearman": "Kept Spearman",
        "kept_r10": "Kept R10",
        "kept_ndcg": "Kept nDCG",
        "macro_f1": "Macro F1",
        "logistic_macro_f1": "Logistic macro F1",
        "ap": "AP",
        "f1": "F1",
        "f1_threshold": "F1 threshold",
        "v_measure": "V-measure",
        "mlx": "MLX",
    }
    if key in known:
        return known[key]
    name, at, cut = key.partition("@")
    if at:
        return f"{known.get(name, name)}@{cut}"
    words = re.sub(r"_(bytes|s|seconds)$", "", key).replace("_", " ")
    return words[:1].upper() + words[1:]


def _minus(written: str) -> str:
    return written.replace("-", "−", 1) if written.startswith("-") else written
