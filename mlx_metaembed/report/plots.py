"""Curves over the steps of a run: the loss, and small panels for what else was measured.

Each plot comes twice where it is wide, for a screen and for a phone; the style sheet shows one.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence

from mlx_metaembed.report import units
from mlx_metaembed.report.axes import Frame, Scale, decimal, grid, picture, ticks
from mlx_metaembed.report.key import key, swatch
from mlx_metaembed.report.markup import tag, text
from mlx_metaembed.report.series import Points, ends, series, smooth, thin, values

WIDE, NARROW, PANEL = Frame(980, 300), Frame(420, 270, left=44), Frame(460, 170, left=58)
SERIES = 6
"""Colours of lines in one plot."""
SMOOTHED_FROM = 12
"""Points from which on a smoothed curve says more than the raw one."""


def loss(metrics: Sequence[Mapping[str, object]]) -> str:
    """The loss over the steps, raw and smoothed, as a `<figure>`; nothing where there is none."""
    raw = series(metrics, "loss")
    if not raw:
        return ""
    smoothed = smooth(raw, reach(raw)) if len(raw) >= SMOOTHED_FROM else None
    gaps = len(raw) - len(values(raw))
    first, last = ends(raw)
    note = f"{units.significant(first)} in the first tenth of the steps, {units.significant(last)} in the last"
    note = note if len(values(raw)) > 1 else units.significant(last)
    note += f" · {gaps:,} without a finite loss" if gaps else ""
    legend = key([(swatch("raw"), "each step"), (swatch("curve"), "smoothed")]) if smoothed else ""
    pictures = [
        curve(raw, frame=frame, title="Loss over the steps", smoothed=smoothed, shape=shape, identity=f"loss-{shape}")
        for frame, shape in ((WIDE, "wide"), (NARROW, "narrow"))
    ]
    return figure("Loss", note, legend, *pictures)


def by_width(metrics: Sequence[Mapping[str, object]], objectives: Collection[str] = ()) -> str:
    """The loss at each width and of each code head, each a line of its own, as a `<figure>`; nothing for none.

    `objectives` are left out: those that are shown elsewhere, whose losses compare with none.
    """
    names = dict.fromkeys(name.removeprefix("loss@") for row in metrics for name in row if name.startswith("loss@"))
    found = {name: points for name in names if name not in objectives and (points := series(metrics, f"loss@{name}"))}
    smoothed = {name: smooth(points, reach(points)) for name, points in found.items() if len(points) >= SMOOTHED_FROM}
    note = "smoothed" if smoothed else ""
    return several("Loss by width", note, found | smoothed, identity="widths", zero=True)


def several(heading: str, note: str, found: Mapping[str, Points], *, identity: str, zero: bool = False) -> str:
    """Quantities over the steps, each a line with its name in the key; more than there are colours for make several
    figures of one range. Nothing for none."""
    names, figures = list(found), []
    for first in range(0, len(names), SERIES):
        some = names[first : first + SERIES]
        lines = [(found[name], f"curve s{at}") for at, name in enumerate(some, 1)]
        pictures = [
            curve(
                [point for points in found.values() for point in points],
                frame=frame,
                title=heading,
                lines=lines,
                shape=shape,
                identity=f"{identity}{first or ''}-{shape}",
                zero=zero,
            )
            for frame, shape in ((WIDE, "wide"), (NARROW, "narrow"))
        ]
        legend = key([(swatch(kind), name) for (_, kind), name in zip(lines, some, strict=True)])
        figures.append(figure(heading if not first else f"{heading}, further lines", note, legend, *pictures))
    return "".join(figures)


def panels(metrics: Sequence[Mapping[str, object]], budget: float | None = None, planned: float | None = None) -> str:
    """Learning rate, gradient norm, tokens a second and peak memory, each where it was measured.

    `planned` and `budget` (bytes) are lines in the memory's panel; a budget far above the rest is said alone.
    """
    drawn = []
    for name, heading, write in (
        ("learning_rate", "Learning rate", units.exponent),
        ("grad_norm", "Gradient norm", None),
        ("tokens_per_second", "Tokens a second", None),
        ("peak_memory_bytes", "Peak memory", units.size),
    ):
        points = series(metrics, name)
        if not points:
            continue
        found = values(points)
        limits = _limits(max(found), budget, planned) if name == "peak_memory_bytes" else []
        note = {
            "learning_rate": f"highest {units.exponent(max(found))}",
            "tokens_per_second": f"median {units.significant(sorted(found)[len(found) // 2])}",
            "peak_memory_bytes": f"{units.size(max(found))} measured",
        }.get(name, f"last {units.significant(found[-1])}")
        if name == "peak_memory_bytes":
            said = ((planned, "planned"), (budget, "allowed"))
            note = ", ".join([note, *(f"{units.size(size)} {word}" for size, word in said if size)])
        noisy = name in ("grad_norm", "tokens_per_second") and len(points) >= SMOOTHED_FROM
        drawing = curve(
            points,
            frame=PANEL,
            title=f"{heading} over the steps",
            smoothed=smooth(points, reach(points)) if noisy else None,
            write=write,
            zero=True,
            limits=[(size, kind) for size, kind, _ in limits],
            identity=f"panel-{name.replace('_', '-')}",
        )
        legend = [(swatch("curve"), "measured"), *((swatch(kind), word) for _, kind, word in limits)] if limits else []
        drawn.append(figure(heading, note, key(legend), drawing))
    return tag("div", *drawn, class_="panels") if drawn else ""


def _limits(most: float, budget: float | None, planned: float | None) -> list[tuple[float, str, str]]:
    """The lines of the memory's panel: bytes, class and meaning."""
    lines = [(planned, "planned", "planned")] if planned else []
    if budget and budget <= 2 * max(most, planned or 0.0):
        lines.append((budget, "limit", "allowed"))
    return lines


def figure(name: str, note: str, *pictures: str) -> str:
    """A `<figure>`: its name at the left of the caption, what to read from it at the right."""
    return tag("figure", tag("figcaption", tag("b", text(name)), tag("span", text(note))), *pictures)


def curve(
    points: Points,
    *,
    frame: Frame,
    title: str,
    identity: str,
    smoothed: Points | None = None,
    write: Callable[[float], str] | None = None,
    zero: bool = False,
    limits: Sequence[tuple[float, str]] = (),
    lines: Sequence[tuple[Points, str]] = (),
    marks: Points = (),
    span: tuple[float, float] | None = None,
    shape: str = "panel",
) -> str:
    """One quantity over the steps as `<svg>`, or the `lines` instead, each with its class, in the range of the points.

    `zero` starts the axis there; `limits` are values with a class, drawn across; `marks` are points with a dot; `span`
    are the first and the last step of the axis, where they are not the points' own.
    """
    found = [value for some, _ in lines for value in values(some)] or values(points)
    extent = [*values(points), *(limit for limit, _ in limits), *([0.0] if zero else [])]
    upward = ticks(min(extent), max(extent), max(2, frame.height // 55))
    if zero and min(extent) == 0:
        upward = [step for step in upward if step >= 0]
    first, last = span or (min(step for step, _ in points), max(step for step, _ in points))
    # A run from step 1 is drawn from 0, so that the axis begins with a label.
    start, stop = (0.0 if 0 < first <= last / 20 else first, last) if last > first else (first - 1, first + 1)
    steps = ticks(start, stop, frame.width // 80, whole=True)
    across = frame.across(start, stop)
    up = frame.up(upward[0], upward[-1])
    lines = lines or ([(points, "raw"), (smoothed, "curve")] if smoothed else [(points, "curve")])
    children = [
        grid(frame, up, upward, write or decimal(upward)),
        grid(frame, across, [step for step in steps if across.low <= step <= across.high], decimal(steps), name="step"),
        *(line(thin(some, 2 * frame.width), across, up, kind) for some, kind in lines),
    ]
    children += [
        tag("path", d=f"M{frame.left},{up(limit):.1f}H{frame.width - frame.right}", class_=kind)
        for limit, kind in limits
    ]
    children += [tag("circle", cx=across(x), cy=up(y), r=5, class_="dot") for x, y in marks]
    description = (
        f"{len(found):,} values from step {first:,.0f} to {last:,.0f}: first {units.significant(found[0])}, "
        f"least {units.significant(min(found))}, greatest {units.significant(max(found))}, "
        f"last {units.significant(found[-1])}."
    )
    return picture(frame, *children, title=title, description=description, shape=shape, identity=identity)


def reach(points: Points) -> int:
    """Neighbours on each side that a smoothed value looks at: a sixteenth of the run altogether."""
    return max(2, len(points) // 32)


def line(points: Points, across: Scale, up: Scale, kind: str) -> str:
    """A path through the points, broken at gaps; a point that stands alone between gaps is a dot."""
    runs: list[Points] = [[]]
    for point in points:
        if math.isfinite(point[1]):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    drawn = []
    paths = ["M" + "L".join(f"{across(x):.1f},{up(y):.1f}" for x, y in run) for run in runs if len(run) > 1]
    if paths:
        drawn.append(tag("path", d="".join(paths), class_=kind))
    drawn += [tag("circle", cx=across(x), cy=up(y), r=3, class_="dot") for run in runs if len(run) == 1 for x, y in run]
    return "".join(drawn)
