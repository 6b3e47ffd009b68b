"""Curves over the steps of a run: the loss, and small panels for what else was measured.

Each plot comes twice where it is wide, for a screen and for a phone; the style sheet shows one.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from mlx_metaembed.report import units
from mlx_metaembed.report.axes import Frame, Scale, decimal, grid, picture, ticks
from mlx_metaembed.report.markup import tag, text
from mlx_metaembed.report.series import Points, series, smooth, thin, values

WIDE, NARROW, PANEL = Frame(980, 300), Frame(420, 270, left=44), Frame(460, 170, left=58)
SMOOTHED_FROM = 12
"""Points from which on a smoothed curve says more than the raw one."""


def loss(metrics: Sequence[Mapping[str, object]]) -> str:
    """The loss over the steps, raw and smoothed, as a `<figure>`; nothing where there is none."""
    raw = series(metrics, "loss")
    if not raw:
        return ""
    smoothed = smooth(raw, _reach(raw)) if len(raw) >= SMOOTHED_FROM else None
    shown = values(smoothed or raw)
    gaps = len(raw) - len(values(raw))
    note = (
        f"{units.significant(shown[0])} → {units.significant(shown[-1])}"
        if len(shown) > 1
        else units.significant(shown[0])
    )
    note += f" · {gaps:,} without a finite loss" if gaps else ""
    if smoothed:
        note += " · each step faint, smoothed bold"
    pictures = [
        curve(raw, frame=frame, title="Loss over the steps", smoothed=smoothed, shape=shape, identity=f"loss-{shape}")
        for frame, shape in ((WIDE, "wide"), (NARROW, "narrow"))
    ]
    return figure("Loss", note, *pictures)


def panels(metrics: Sequence[Mapping[str, object]], budget: float | None = None) -> str:
    """Learning rate, gradient norm, tokens a second and peak memory, each where it was measured.

    `budget` (bytes) is drawn as a line in the memory's panel.
    """
    drawn = []
    for key, name, write, zero in (
        ("learning_rate", "Learning rate", units.exponent, True),
        ("grad_norm", "Gradient norm", None, True),
        ("tokens_per_second", "Tokens a second", None, True),
        ("peak_memory_bytes", "Peak memory", units.size, True),
    ):
        points = series(metrics, key)
        if not points:
            continue
        found = values(points)
        note = {
            "learning_rate": f"highest {units.exponent(max(found))}",
            "tokens_per_second": f"median {units.significant(sorted(found)[len(found) // 2])}",
            "peak_memory_bytes": units.size(max(found)),
        }.get(key, f"last {units.significant(found[-1])}")
        noisy = key in ("grad_norm", "tokens_per_second") and len(points) >= SMOOTHED_FROM
        limit = budget if key == "peak_memory_bytes" else None
        drawing = curve(
            points,
            frame=PANEL,
            title=f"{name} over the steps",
            smoothed=smooth(points, _reach(points)) if noisy else None,
            write=write,
            zero=zero,
            limit=limit,
            identity=f"panel-{key.replace('_', '-')}",
        )
        note += f" of {units.size(limit)} allowed" if limit else ""
        drawn.append(figure(name, note, drawing))
    return tag("div", *drawn, class_="panels") if drawn else ""


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
    limit: float | None = None,
    shape: str = "panel",
) -> str:
    """One quantity over the steps as `<svg>`; `zero` starts the axis there, `limit` is a dashed line to stay under."""
    found = values(points)
    reach = [*found, *([limit] if limit else []), *([0.0] if zero else [])]
    upward = ticks(min(reach), max(reach), max(2, frame.height // 55))
    if zero and min(reach) == 0:
        upward = [step for step in upward if step >= 0]
    first, last = points[0][0], points[-1][0]
    # A run from step 1 is drawn from 0, so that the axis begins with a label.
    start, stop = (0.0 if 0 < first <= last / 20 else first, last) if last > first else (first - 1, first + 1)
    steps = ticks(start, stop, frame.width // 80, whole=True)
    across = frame.across(start, stop)
    up = frame.up(upward[0], upward[-1])
    lines = [(points, "raw"), (smoothed, "curve")] if smoothed else [(points, "curve")]
    children = [
        grid(frame, up, upward, write or decimal(upward)),
        grid(frame, across, [step for step in steps if across.low <= step <= across.high], decimal(steps), name="step"),
        *(line(thin(some, 2 * frame.width), across, up, kind) for some, kind in lines),
    ]
    if limit:
        children.append(tag("path", d=f"M{frame.left},{up(limit):.1f}H{frame.width - frame.right}", class_="limit"))
    description = (
        f"{len(found):,} values from step {first:,.0f} to {last:,.0f}: first {units.significant(found[0])}, "
        f"least {units.significant(min(found))}, greatest {units.significant(max(found))}, "
        f"last {units.significant(found[-1])}."
    )
    return picture(frame, *children, title=title, description=description, shape=shape, identity=identity)


def _reach(points: Points) -> int:
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
