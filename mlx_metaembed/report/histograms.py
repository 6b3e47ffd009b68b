"""Histograms of scores before and after training: what belongs together beside what does not, on one axis.

The height is the share of a group, since there are far more wrong texts than right ones.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from mlx_metaembed.report import units
from mlx_metaembed.report.answers import SIDES
from mlx_metaembed.report.axes import decimal, grid, picture, ticks
from mlx_metaembed.report.key import key, swatch
from mlx_metaembed.report.markup import tag
from mlx_metaembed.report.plots import PANEL, SERIES, figure

MOST, LONGEST, TAIL = 40, 4096, 0.002
"""Bins that are drawn, bins that are read, and the share of a group at each end that may lie outside."""
NOTE = "share of each group in each bin · in the right order: a score of the first group above one of the last"


@dataclass(frozen=True)
class Group:
    """Counts of scores from `low` on, in bins of one `width`."""

    name: str
    low: float
    width: float
    counts: tuple[float, ...]

    @property
    def ends(self) -> tuple[float, float]:
        """The range that holds all but the tails."""
        sums = list(accumulate(self.counts))
        edge = TAIL * sums[-1]
        first = next(at for at, total in enumerate(sums) if total > edge)
        last = next(at for at, total in enumerate(sums) if total >= sums[-1] - edge)
        return self.low + first * self.width, self.low + (last + 1) * self.width

    def shares(self, first: int, bins: int, width: float) -> list[float]:
        """The share of the group in each of so many bins from first * width on, what lies outside in the outer ones."""
        found = [0.0] * bins
        for at, count in enumerate(self.counts):
            place = math.floor((self.low + (at + 0.5) * self.width) / width) - first
            found[min(max(place, 0), bins - 1)] += count
        total = sum(self.counts)
        return [count / total for count in found]


def histograms(scores: object, identity: str) -> str:
    """A panel for each stage of `[{"stage", "groups": [{"name", "low", "width", "counts"}]}]`, under one key; nothing
    for what has another form. `identity` begins the names of its parts."""
    stages = {str(each.get("stage")): _groups(each.get("groups")) for each in scores} if _are_dicts(scores) else {}
    drawn = {heading: stages[stage] for stage, heading in SIDES if stages.get(stage)}
    if not drawn:
        return ""
    every = [group for groups in drawn.values() for group in groups]
    low, high = (
        pick(each) for pick, each in zip((min, max), zip(*(group.ends for group in every), strict=True), strict=True)
    )
    width = max(group.width for group in every)
    while math.ceil(high / width) - math.floor(low / width) > MOST:
        width *= 2
    first = math.floor(low / width)
    bins = max(math.ceil(high / width) - first, 1)
    names = list(dict.fromkeys(group.name for group in every))[:SERIES]
    shares = {heading: [group.shares(first, bins, width) for group in groups] for heading, groups in drawn.items()}
    highest = max(max(each) for groups in shares.values() for each in groups)
    panels = [
        figure(
            heading,
            _overlap(groups[0], groups[-1], first, bins, width) if len(groups) > 1 else "",
            _panel(heading, groups, shares[heading], names, (first, bins, width, highest), f"{identity}-scores{at}"),
        )
        for at, (heading, groups) in enumerate(drawn.items())
    ]
    legend = key([(swatch(f"curve s{at}"), name) for at, name in enumerate(names, 1)])
    return figure("Scores", NOTE, legend, tag("div", *panels, class_="panels"))


def _panel(
    heading: str,
    groups: Sequence[Group],
    shares: Sequence[Sequence[float]],
    names: Sequence[str],
    range_: tuple[int, int, float, float],
    identity: str,
) -> str:
    first, bins, width, highest = range_
    frame = PANEL
    upward = ticks(0.0, highest, 3)
    up = frame.up(0.0, upward[-1])
    across = frame.across(first * width, (first + bins) * width)
    steps = [step for step in ticks(across.low, across.high, 6) if across.low <= step <= across.high]
    lines = []
    for group, found in zip(groups, shares, strict=True):
        if group.name in names:
            path = f"M{across((first) * width):.1f},{up(0.0):.1f}" + "".join(
                f"V{up(share):.1f}H{across((first + at + 1) * width):.1f}" for at, share in enumerate(found)
            )
            lines.append(tag("path", d=f"{path}V{up(0.0):.1f}", class_=f"curve s{names.index(group.name) + 1}"))
    said = (f"{group.name}: {sum(group.counts):,.0f} scores, half of them below {_median(group)}" for group in groups)
    return picture(
        frame,
        grid(frame, up, upward, units.share),
        grid(frame, across, steps, decimal(steps), name="score"),
        *lines,
        title=f"Scores, {heading.lower()}",
        description="; ".join(said),
        shape="panel",
        identity=identity,
    )


def _median(group: Group) -> str:
    half = sum(group.counts) / 2
    at = next(at for at, total in enumerate(accumulate(group.counts)) if total >= half)
    return units.significant(group.low + (at + 1) * group.width)


def _overlap(right: Group, wrong: Group, first: int, bins: int, width: float) -> str:
    """How often a score of the first group is above one of the last, equal bins counting half."""
    ones, others = right.shares(first, bins, width), wrong.shares(first, bins, width)
    below, found = 0.0, 0.0
    for one, other in zip(ones, others, strict=True):
        found += one * (below + other / 2)
        below += other
    return f"{units.significant(round(100 * found, 1))} % in the right order"


def _groups(value: object) -> list[Group]:
    """The groups of a stage that have the form of one."""
    return [group for each in value if (group := _group(each))] if _are_dicts(value) else []


def _group(each: Mapping[str, object]) -> Group | None:
    low, width, counts = units.finite(each.get("low")), units.finite(each.get("width")), each.get("counts")
    if low is None or not width or width < 0 or not isinstance(counts, list) or not 0 < len(counts) <= LONGEST:
        return None
    found = [units.finite(count) for count in counts]
    whole = all(count is not None and count >= 0 for count in found) and sum(found) > 0
    return Group(str(each.get("name")), low, width, tuple(found)) if whole and abs(low) < 1e6 * width else None


def _are_dicts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)
