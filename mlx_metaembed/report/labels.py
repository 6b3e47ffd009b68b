"""Where the labels of a plot stand, so that none lies on another, on a mark, or outside.

Greedy: the largest label first, each at the cheapest free place around its mark. One without a free place is left
out; the mark's own title still names it.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

CHARACTER = 6.7
LINE = 14.0
MARK = 7.0
APART = 4.0
NEAR = 10.0
DISTANCES = (NEAR, 18.0, 30.0, 44.0, 60.0, 72.0, 84.0, 100.0, 130.0)


@dataclass(frozen=True)
class Label:
    """Lines of text beside the mark at (x, y): the box they fill, their anchor, and how far away they stand."""

    x: float
    y: float
    lines: tuple[str, ...]
    box: Box
    anchor: str
    distance: float


def place(
    wanted: Sequence[tuple[float, float, tuple[str, ...]]],
    *,
    marks: Sequence[tuple[float, float]],
    segments: Sequence[tuple[float, float, float, float]] = (),
    frame: Box,
) -> list[Label]:
    """Labels (x, y, lines) placed clear of `marks` and of each other, off the `segments` where it can be."""
    taken = [(x - MARK, y - MARK, x + MARK, y + MARK) for x, y in marks]
    inked = [point for segment in segments for point in _points(*segment)]
    placed: list[Label] = []
    for x, y, lines in sorted(wanted, key=lambda one: -len(one[2]) * max(map(len, one[2]))):
        free = [
            (cost + 2.5 * sum(_inside(point, label.box) for point in inked) + _doubt(label, marks), at, label)
            for at, (cost, label) in enumerate(_around(x, y, lines, frame))
            if _within(label.box, frame) and not any(overlap(label.box, other) for other in taken)
        ]
        if free:
            best = min(free)[2]
            placed.append(best)
            left, top, right, bottom = best.box
            taken.append((left - APART, top - APART, right + APART, bottom + APART))
    return placed


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes share any area."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _around(x: float, y: float, lines: tuple[str, ...], frame: Box) -> Iterator[tuple[float, Label]]:
    """Places around a mark with their costs: above and to the right come first, near before far."""
    width, height = CHARACTER * max(map(len, lines)), LINE * len(lines)
    for distance, (across, down) in product(DISTANCES, product((0, 1, -1), (-1, 0, 1))):
        if not across and not down:
            continue
        # At an angle, the nearest corner stands as far away as the middle of a side does.
        reach = distance * (0.7 if across and down else 1.0)
        # Above and below, a label moves sideways rather than out of the frame.
        centred = max(frame[0], min(x - width / 2, frame[2] - width))
        left = {0: centred, 1: x + reach, -1: x - reach - width}[across]
        top = {0: y - height / 2, 1: y + reach, -1: y - reach - height}[down]
        moved = (centred > x - width / 2) - (centred < x - width / 2)
        anchor = {0: "middle", 1: "start", -1: "end"}[across or moved]
        cost = distance + 2 * (across < 0) + 1.5 * (down > 0) + 1.5 * bool(across and down)
        yield cost, Label(x, y, lines, (left, top, left + width, top + height), anchor, distance)


def _doubt(label: Label, marks: Sequence[tuple[float, float]]) -> float:
    """The cost of standing so near to other marks that a reader may take the label for theirs."""
    left, top, right, bottom = label.box
    near = (left - 14, top - 14, right + 14, bottom + 14)
    return 6.0 * sum(_inside(mark, near) for mark in marks if math.dist(mark, (label.x, label.y)) > 2 * MARK)


def _points(x: float, y: float, to_x: float, to_y: float) -> list[tuple[float, float]]:
    """A segment as points about 4 pixels apart."""
    count = max(1, round(max(abs(to_x - x), abs(to_y - y)) / 4))
    return [(x + (to_x - x) * at / count, y + (to_y - y) * at / count) for at in range(count + 1)]


def _inside(point: tuple[float, float], box: Box) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def _within(box: Box, frame: Box) -> bool:
    return box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] and box[3] <= frame[3]
