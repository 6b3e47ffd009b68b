"""Sizes in bytes, as people write them: 8GB in, 8.00 GB out."""

from mlx_metaembed.errors import CallError

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def parse_size(text: str, name: str = "memory") -> int:
    """`"8GB"` as bytes. Raises CallError, with the setting's name, for anything that is no size."""
    number = text.rstrip("BbGgIiKkMm ")
    unit = text[len(number) :].strip().upper()
    try:
        size = float(number) * UNITS[unit]
    except (ValueError, KeyError):
        size = 0
    if not 0 < size < 2**60:
        raise CallError(f"{name} = {text!r} is no size; expected a number and one of {', '.join(UNITS)}, like 8GB")
    return int(size)


def format_size(size: int) -> str:
    """Bytes with three digits and a unit: 950 B, 12.3 KB, 8.00 GB."""
    unit = next((unit for unit in ("GB", "MB", "KB") if size >= UNITS[unit]), "B")
    amount = size / UNITS[unit]
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.{1 if amount >= 10 else 2}f} {unit}"
