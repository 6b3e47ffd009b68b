"""Scales, ticks and the frame of a plot.

A linear axis runs between round numbers; a logarithmic one between powers of two, since bytes come in those.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mlx_metaembed.report.markup import tag, text


@dataclass(frozen=True)
class Scale:
    """Values between `low` and `high` at the pixels between `start` and `stop`."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = (math.log2(self.low), math.log2(self.high)) if self.log else (self.low, self.high)
        share = ((math.log2(value) if self.log else value) - low) / (high - low)
        return self.start + share * (self.stop - self.start)


@dataclass(frozen=True)
class Frame:
    """A plot's size and the margins around its axes, in pixels."""

    width: int
    height: int
    left: int = 52
    right: int = 12
    top: int = 10
    bottom: int = 36

    def across(self, low: float, high: float, *, log: bool = False) -> Scale:
        return Scale(low, high, self.left, self.width - self.right, log)

    def up(self, low: float, high: float) -> Scale:
        return Scale(low, high, self.height - self.bottom, self.top)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the axes."""
        return self.left, self.top, self.width - self.right, self.height - self.bottom


def ticks(low: float, high: float, count: int = 5, *, whole: bool = False) -> list[float]:
    """About `count` round numbers from at or below `low` to at or above `high`; `whole` keeps to whole numbers.

    A range of nothing is widened around its value, so there are always two or more.
    """
    if high - low <= 1e-9 * max(abs(low), abs(high)) or (whole and high - low < 1):
        reach = max(1.0, abs(high) / 1e6) if whole else (abs(high) / 10 or 1.0)
        low, high = low - reach, high + reach
    rough = (high - low) / count
    unit = 10.0 ** math.floor(math.log10(rough))
    steps = (unit, 2 * unit, 5 * unit, 10 * unit) if whole else (unit, 2 * unit, 2.5 * unit, 5 * unit, 10 * unit)
    step = next(step for step in steps if step >= rough * (1 - 1e-9))
    if whole:
        step = max(1.0, step)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [place * step for place in range(first, last + 1)]


def powers_of_two(low: float, high: float, count: int = 8) -> list[float]:
    """Powers of two within low..high; every second, third, ... one where there are more than `count`."""
    first, last = math.ceil(math.log2(low) - 1e-9), math.floor(math.log2(high) + 1e-9)
    stride = max(1, math.ceil((last - first + 1) / count))
    return [2.0**power for power in range(first, last + 1) if power % stride == 0]


def decimal(steps: Sequence[float]) -> Callable[[float], str]:
    """Writes ticks with just the decimals that tell them apart."""
    gap = min((after - before for before, after in pairwise(steps)), default=1.0)
    decimals = next((places for places in range(12) if abs(gap * 10**places - round(gap * 10**places)) < 1e-6), 12)
    return lambda value: f"{value if abs(value) > gap / 2 else 0.0:,.{decimals}f}".replace("-", "−")


def grid(frame: Frame, scale: Scale, steps: Sequence[float], write: Callable[[float], str], *, name: str = "") -> str:
    """One axis: lines across the plot and a label at each tick, and the axis's name."""
    left, _, right, bottom = frame.box
    upright = scale.start > scale.stop
    marks = []
    for step in steps:
        at = scale(step)
        if upright:
            marks.append(tag("path", d=f"M{left},{at:.1f}H{right}", class_="grid"))
            marks.append(tag("text", text(write(step)), x=left - 8, y=at + 4.0, text_anchor="end"))
        else:
            marks.append(tag("path", d=f"M{at:.1f},{bottom}v4", class_="grid"))
            marks.append(tag("text", text(write(step)), x=float(at), y=bottom + 17, text_anchor="middle"))
    if name and not upright:
        marks.append(tag("text", text(name), x=float(right), y=bottom + 33, text_anchor="end"))
    return "".join(marks)


def picture(frame: Frame, *children: str, title: str, description: str, shape: str, identity: str) -> str:
    """The `<svg>` around a plot, with the title and description that a screen reader says."""
    return tag(
        "svg",
        tag("title", text(title), id=f"{identity}-title"),
        tag("desc", text(description), id=f"{identity}-desc"),
        *children,
        viewBox=f"0 0 {frame.width} {frame.height}",
        role="img",
        class_=shape,
        aria_labelledby=f"{identity}-title {identity}-desc",
    )
