"""Figures of several models one below the other, each a dot on its interval: a forest plot.

Names stand above their lines, so that they may be long.
"""

from collections.abc import Sequence

from mlx_metaembed.report import units
from mlx_metaembed.report.axes import Frame, decimal, grid, picture, ticks
from mlx_metaembed.report.markup import tag, text
from mlx_metaembed.report.plots import figure

WIDTH, ROW, LONGEST = 460, 40, 58

Line = tuple[str, float, tuple[float, float] | None, str]
"""A name, a value, its interval, and the class of its colour."""


def forest(lines: Sequence[Line], *, heading: str, note: str, identity: str, zero: bool = False) -> str:
    """The plot as a `<figure>`, nothing for no lines; with `zero` that value is a line down, for differences."""
    if not lines:
        return ""
    frame = Frame(WIDTH, ROW * len(lines) + 30, left=20, right=20, top=4, bottom=26)
    extent = [value for _, value, ends, _ in lines for value in (value, *(ends or ()))] + ([0.0] if zero else [])
    steps = ticks(min(extent), max(extent), 6)
    across = frame.across(steps[0], steps[-1])
    write = units.signed if zero else decimal(steps)
    drawn = [tag("path", d=f"M{across(0.0):.1f},{frame.top}V{frame.height - frame.bottom}", class_="planned")] * zero
    for at, (name, value, ends, kind) in enumerate(lines):
        y = frame.top + ROW * at + 28.0
        said = f"{_written(value, zero)} ({_written(ends[0], zero)} to {_written(ends[1], zero)})" if ends else ""
        drawn.append(tag("text", text(_cut(name)), x=float(frame.left), y=y - 13, class_="name"))
        if ends:
            left, right = across(ends[0]), across(ends[1])
            path = f"M{left:.1f},{y - 4}v8m0,-4H{right:.1f}m0,-4v8"
            drawn.append(tag("path", d=path, class_=f"{kind} whisker"))
        dot = tag("circle", cx=across(value), cy=y, r=5)
        drawn.append(tag("g", tag("title", text(f"{name}: {said or _written(value, zero)}")), dot, class_=kind))
    drawing = picture(
        frame,
        grid(frame, across, steps[:: max(1, len(steps) // 6)], write),
        *drawn,
        title=heading,
        description="; ".join(f"{name}: {_written(value, zero)}" for name, value, *_ in lines),
        shape="panel",
        identity=identity,
    )
    return figure(heading, note, drawing)


def _written(value: float, signed: bool) -> str:
    return units.signed(value) if signed else units.quality(value)


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
