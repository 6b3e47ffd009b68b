"""Times as programs write them: numbers since 1970 in any unit, dates as text; and as this kit writes them."""

import math
from datetime import UTC, datetime

UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (math.inf, 1e9))
"""Below such a number it counts seconds, ms, us or ns: 1e11 seconds are the year 5138, 1e11 ms the year 1973."""
LATEST = 253_402_300_799.0
"""Seconds at the end of the year 9999, the last that a date has."""


def seconds(value: object) -> float | None:
    """Seconds since 1970 of a number in s, ms, us or ns, or of a date in ISO 8601; None where it is neither.

    A date without a zone counts as UTC.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    except ValueError:
        return _of_date(value.strip())
    if not math.isfinite(number):
        return None
    return number / next(unit for most, unit in UNITS if abs(number) < most) if abs(number) < 1e21 else None


def written(time: float | None) -> str | None:
    """A time as ISO 8601 in UTC, like 2024-05-01T12:00:00Z: the order of such texts is the order in time."""
    if time is None or not -62_135_596_800 <= time <= LATEST:
        return None
    found = datetime.fromtimestamp(time, UTC).replace(tzinfo=None)
    return found.isoformat(timespec="milliseconds" if found.microsecond else "seconds") + "Z"


def _of_date(text: str) -> float | None:
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
