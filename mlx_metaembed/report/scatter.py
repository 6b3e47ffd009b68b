"""Quality against what it costs: a mark a model, its interval upright, on a logarithmic axis of times or bytes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlx_metaembed.report.axes import Frame, decimal, grid, picture, ticks
from mlx_metaembed.report.labels import LINE, NEAR, Label, place
from mlx_metaembed.report.markup import tag, text
from mlx_metaembed.report.plots import figure
from mlx_metaembed.report.tradeoff import whisker

FRAME = Frame(460, 300, left=44, right=14, top=16)
ROUND = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), tuple(1 + at / 4 for at in range(36)))
"""Digits of ticks, from few to many."""
LONGEST = 28
"""Characters of a name beside its mark."""


@dataclass(frozen=True)
class Mark:
    """A cost, a quality with its interval, and what it is called; `kind` is the class of its colour."""

    name: str
    x: float
    y: float
    ends: tuple[float, float] | None
    kind: str


def scatter(
    marks: Sequence[Mark], *, quality: str, cost: str, write: Callable[[float], str], note: str, identity: str
) -> str:
    """The plot as a `<figure>`; nothing for fewer than two marks. `write` writes a cost with its unit."""
    if len(marks) < 2:
        return ""
    low, high = min(mark.x for mark in marks), max(mark.x for mark in marks)
    across = FRAME.across(low / 1.35, high * 1.35, log=True)
    heights = [value for mark in marks for value in (mark.y, *(mark.ends or ()))]
    upward = ticks(min(heights), max(heights), 5)
    up = FRAME.up(upward[0], upward[-1])
    places = [(across(mark.x), up(mark.y)) for mark in marks]
    spans = [
        (x, up(mark.ends[0]), x, up(mark.ends[1])) for mark, (x, _) in zip(marks, places, strict=True) if mark.ends
    ]
    names = place(
        [(x, y, (_cut(mark.name),)) for mark, (x, y) in zip(marks, places, strict=True)],
        marks=places,
        segments=spans,
        frame=(FRAME.left, FRAME.top - 12, FRAME.width, FRAME.height - FRAME.bottom),
    )
    drawn = [whisker(across(mark.x), up, *mark.ends, mark.kind) for mark in marks if mark.ends]
    drawn += [
        tag("g", tag("title", text(mark.name)), tag("circle", cx=x, cy=y, r=5), class_=mark.kind)
        for mark, (x, y) in zip(marks, places, strict=True)
    ]
    drawing = picture(
        FRAME,
        grid(FRAME, up, upward, decimal(upward)),
        grid(FRAME, across, steps(across.low, across.high), write, name=f"{cost}, log scale"),
        *map(_label, names),
        *drawn,
        title=f"{quality} against {cost}",
        description="; ".join(f"{mark.name}: {mark.y:.3f} at {write(mark.x)}" for mark in marks),
        shape="panel",
        identity=identity,
    )
    return figure(f"{quality} by {cost}", note, drawing)


def steps(low: float, high: float, least: int = 3) -> list[float]:
    """Round numbers within low..high, few enough for a logarithmic axis, where there are so many."""
    found: list[float] = []
    for digits in ROUND:
        powers = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
        found = [digit * 10.0**power for power in powers for digit in digits if low <= digit * 10.0**power <= high]
        if len(found) >= least:
            break
    return found[:: max(1, len(found) // 5)]


def _label(name: Label) -> str:
    left, top, right, bottom = name.box
    x = {"start": left, "middle": (left + right) / 2, "end": right}[name.anchor]
    drawn = tag("text", text(name.lines[0]), x=x, y=top + LINE - 3, text_anchor=name.anchor, class_="name")
    if name.distance <= NEAR:
        return drawn
    to_x, to_y = min(max(name.x, left), right), min(max(name.y, top), bottom)
    return tag("path", d=f"M{name.x:.1f},{name.y:.1f}L{to_x:.1f},{to_y:.1f}", class_="leader") + drawn


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
