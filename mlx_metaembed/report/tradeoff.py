"""Quality against bytes a vector, before and after: what a shorter vector costs and what training gave back.

Plain widths are circles on a line; each kind of code has a mark of its own, hollow before and filled after, and the key
says which. Names stand beside the marks, once for both stages; marks that lie on each other share one label.
"""

from collections.abc import Sequence
from itertools import pairwise

from mlx_metaembed.report import intervals, units
from mlx_metaembed.report.axes import Frame, Scale, decimal, grid, picture, powers_of_two, ticks
from mlx_metaembed.report.key import key, swatch
from mlx_metaembed.report.labels import LINE, NEAR, Label, place
from mlx_metaembed.report.markup import tag, text
from mlx_metaembed.report.plots import figure
from mlx_metaembed.report.results import STAGES, Entry

WIDE, NARROW = Frame(980, 400, right=24, top=14), Frame(420, 360, left=40, right=14, top=14)
CODE_MARKS = ("M0,-6L6,0L0,6L-6,0Z", "M-5,-5H5V5H-5Z", "M0,-6L6,5H-6Z", "M0,6L6,-5H-6Z", "M-6,-3L0,-6L6,-3V3L0,6L-6,3Z")
"""Diamond, square, triangles, hexagon, around (0, 0)."""
KINDS = (*STAGES, "alone")
CLOSE = (6.0, 14.0)
"""Pixels across and down within which two marks share a label."""

Point = tuple[Entry, str, float, float]
"""An entry, its stage, bytes a vector, quality."""


def quality(entries: Sequence[Entry], measure: str, identity: str = "quality") -> str:
    """The plot as a `<figure>`, wide and narrow; nothing where fewer than two rows have both numbers.

    `identity` begins the names of its parts, which are one page's own.
    """
    points = [
        (entry, stage, size, value)
        for entry in entries
        for stage in entry.stages
        if (size := entry.number(stage, "bytes_per_vector"))
        and size > 0
        and (value := entry.number(stage, measure)) is not None
    ]
    if len(points) < 2:
        return ""
    shown = [_plot(points, measure, frame, shape, identity) for frame, shape in ((WIDE, "wide"), (NARROW, "narrow"))]
    return figure(
        f"{units.label(measure)} by bytes a vector", "up and to the left is better", _key(points, measure), *shown
    )


def _plot(points: Sequence[Point], measure: str, frame: Frame, shape: str, identity: str) -> str:
    sizes, values = [point[2] for point in points], [point[3] for point in points]
    # One size alone still gets a few powers of two around it.
    room = 1.3 if max(sizes) > 4 * min(sizes) else 3.0
    across = frame.across(min(sizes) / room, max(sizes) * room, log=True)
    values += [end for *_, ends in _spans(points, measure) for end in ends]
    upward = ticks(min(values), max(values), 6)
    up = frame.up(upward[0], upward[-1])
    across_steps = powers_of_two(across.low, across.high, frame.width // 55)
    lines = {stage: _widths(points, stage, across, up) for stage in KINDS}
    segments = [(*one, *two) for line in lines.values() for one, two in pairwise(line)]
    bar = _bar(points)
    if bar is not None:
        segments.append((frame.left, up(bar), frame.width - frame.right, up(bar)))
    kinds = _kinds(points)
    whiskers = [whisker(across(size), up, *ends, stage) for _, stage, size, ends in _spans(points, measure)]
    segments += [(across(size), up(low), across(size), up(high)) for *_, size, (low, high) in _spans(points, measure)]
    marks = [_mark(point, measure, across, up, kinds) for point in sorted(points, key=lambda one: one[0].is_width)]
    joins = [
        tag("path", d="M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in line), class_=f"{stage} join")
        for stage, line in lines.items()
        if len(line) > 1
    ]
    names = place(
        _names(points, across, up),
        marks=[(across(point[2]), up(point[3])) for point in points],
        segments=segments,
        frame=(frame.left, frame.top - 10, frame.width, frame.height - frame.bottom),
    )
    return picture(
        frame,
        grid(frame, up, upward, decimal(upward)),
        grid(frame, across, across_steps, lambda step: f"{step:,.0f}", name="bytes a vector, log scale"),
        _reference(bar, frame, up),
        *whiskers,
        *joins,
        *(_label(name) for name in names),
        *marks,
        title=f"{units.label(measure)} against bytes a vector",
        description="; ".join(_said(point, measure) for point in points),
        shape=shape,
        identity=f"{identity}-{shape}",
    )


def whisker(x: float, up: Scale, low: float, high: float, kind: str) -> str:
    """An interval as an upright line with feet, in the colour of its mark."""
    path = f"M{x - 3:.1f},{up(low):.1f}h6m-3,0V{up(high):.1f}m-3,0h6"
    return tag("path", d=path, class_=f"{kind} whisker")


def _spans(points: Sequence[Point], measure: str) -> list[tuple[Entry, str, float, tuple[float, float]]]:
    """Entry, stage, bytes a vector and interval of the points that have one."""
    found = [(entry, stage, size, intervals.ends(entry.stages[stage], measure)) for entry, stage, size, _ in points]
    return [each for each in found if each[3]]


def _widths(points: Sequence[Point], stage: str, across: Scale, up: Scale) -> list[tuple[float, float]]:
    """Where the line of a stage's plain widths goes, from the shortest vector to the longest."""
    found = sorted((size, value) for entry, kind, size, value in points if kind == stage and entry.is_width)
    return [(across(size), up(value)) for size, value in found]


def _mark(point: Point, measure: str, across: Scale, up: Scale, kinds: Sequence[str]) -> str:
    entry, stage, size, value = point
    drawn = _drawn(_kind(entry), kinds)
    where = f"translate({across(size):.1f},{up(value):.1f})"
    return tag("g", tag("title", text(_said(point, measure))), drawn, transform=where, class_=stage)


def _kind(entry: Entry) -> str:
    """What a vector is stored as: int8@192 and int8@96 are of one kind, and plain widths of the kind ""."""
    return "" if entry.is_width else entry.label.partition("@")[0]


def _kinds(points: Sequence[Point]) -> list[str]:
    return list(dict.fromkeys(kind for entry, *_ in points if (kind := _kind(entry))))


def _drawn(kind: str, kinds: Sequence[str]) -> str:
    """The mark of a kind, around (0, 0)."""
    return tag("path", d=CODE_MARKS[kinds.index(kind) % len(CODE_MARKS)]) if kind else tag("circle", r=4.5)


def _said(point: Point, measure: str) -> str:
    entry, stage, size, value = point
    name, ends = entry.stages[stage].get("name", entry.label), intervals.ends(entry.stages[stage], measure)
    within = f" ({intervals.written(ends)})" if ends else ""
    return f"{name}: {units.label(measure)} {units.quality(value)}{within}, {units.size(size)} a vector"


def _names(points: Sequence[Point], across: Scale, up: Scale) -> list[tuple[float, float, tuple[str, ...]]]:
    """A label for each entry, at its later stage (at both where sizes differ); close ones become one, best first."""
    sizes = {(id(entry), stage): size for entry, stage, size, _ in points}
    found: list[list[tuple[float, float, str]]] = []
    for entry, stage, size, value in sorted(points, key=lambda point: not point[0].is_width):
        if stage == "before" and sizes.get((id(entry), "after")) == size:
            continue
        x, y = across(size), up(value)
        for group in found:
            if abs(x - group[0][0]) <= CLOSE[0] and abs(y - group[0][1]) <= CLOSE[1]:
                group.append((x, y, _short(entry)))
                break
        else:
            found.append([(x, y, _short(entry))])
    return [(*group[0][:2], tuple(name for *_, name in sorted(group, key=lambda one: one[1]))) for group in found]


def _short(entry: Entry) -> str:
    """A mark's name beside it: the width alone, where the mark and the key say the rest."""
    _, _, width = entry.label.partition("@")
    return width if width.isdecimal() and not entry.is_width else entry.label


def _label(name: Label) -> str:
    left, top, right, bottom = name.box
    x = {"start": left, "middle": (left + right) / 2, "end": right}[name.anchor]
    lines = [
        tag("text", text(line), x=x, y=top + LINE * at + 11, text_anchor=name.anchor, class_="name")
        for at, line in enumerate(name.lines)
    ]
    if name.distance > NEAR:
        to_x, to_y = min(max(name.x, left), right), min(max(name.y, top), bottom)
        lines.insert(0, tag("path", d=f"M{name.x:.1f},{name.y:.1f}L{to_x:.1f},{to_y:.1f}", class_="leader"))
    return "".join(lines)


def _key(points: Sequence[Point], measure: str) -> str:
    """What colours and marks mean."""
    kinds = _kinds(points)
    entries = []
    if any(point[0].is_width for point in points):
        entries.append((tag("g", _drawn("", kinds), class_="plain"), "float32"))
    entries += [(tag("g", _drawn(kind, kinds), class_="plain"), kind) for kind in kinds]
    words = {"before": "before training (hollow)", "after": "after training (filled)"}
    stages = [stage for stage in STAGES if any(point[1] == stage for point in points)]
    if len(stages) > 1:
        entries = [(tag("g", tag("circle", r=4.5), class_=stage), words[stage]) for stage in stages] + entries
    if _bar(points) is not None:
        entries.append((swatch("reference"), "full width before training"))
    if _spans(points, measure):
        entries.append((swatch("upright"), "95 % interval"))
    return key(entries)


def _bar(points: Sequence[Point]) -> float | None:
    """The quality of the longest plain vector before training; None where there is none, or no after to compare."""
    before = [(size, value) for entry, stage, size, value in points if stage == "before" and entry.is_width]
    return max(before)[1] if before and any(point[1] == "after" for point in points) else None


def _reference(bar: float | None, frame: Frame, up: Scale) -> str:
    """The bar as a dotted line."""
    if bar is None:
        return ""
    left, _, right, _ = frame.box
    return tag("path", d=f"M{left},{up(bar):.1f}H{right}", class_="reference")
