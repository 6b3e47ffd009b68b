"""What was measured while a run went: the metric over the steps, from the base model on, with the best step marked."""

from collections.abc import Mapping, Sequence

from mlx_metaembed.report import units
from mlx_metaembed.report.key import key, swatch
from mlx_metaembed.report.plots import NARROW, WIDE, curve, figure, several
from mlx_metaembed.report.series import Points, series, values
from mlx_metaembed.training.evaluation import BY_WIDTH, PREFIX


def evaluation(metrics: Sequence[Mapping[str, object]], source: str = "") -> str:
    """The first measure of the rows over the steps, as a `<figure>`; nothing where nothing was measured.

    `source` is the data's name.
    """
    name = next((name for row in metrics for name in row if name.startswith(PREFIX)), None)
    points = series(metrics, name) if name else []
    if not points:
        return ""
    label = units.label(name.removeprefix(PREFIX))
    best = best_point(points)
    said = [f"best {units.quality(best[1])} at step {best[0]:,.0f}"] if best else []
    if points[0][0] == 0 and values(points[:1]):
        said.append(f"{units.quality(points[0][1])} before training")
    if best and points[-1] != best and values(points[-1:]):
        said.append(f"{units.quality(points[-1][1])} at the last")
    pictures = [
        curve(
            points,
            frame=frame,
            title=f"{label} over the steps",
            shape=shape,
            identity=f"evaluation-{shape}",
            marks=[best] if best else [],
        )
        for frame, shape in ((WIDE, "wide"), (NARROW, "narrow"))
    ]
    legend = key([(swatch("curve"), label), ('<circle r="5" class="dot"/>', "the best step")]) if best else ""
    return figure(f"{label} on {source}" if source else label, " · ".join(said), legend, *pictures)


def evaluation_by_width(metrics: Sequence[Mapping[str, object]], source: str = "") -> str:
    """The metric at each width and of each code head, a line each, as a `<figure>`; nothing where one is measured."""
    names = dict.fromkeys(name for row in metrics for name in row if name.startswith(BY_WIDTH) and "/" in name)
    found = {}
    for name in names:
        width, _, measure = name.removeprefix(BY_WIDTH).rpartition("/")
        if points := series(metrics, name):
            found[width] = points
            label = units.label(measure)
    if len(found) < 2:
        return ""
    last = ", ".join(f"{width} {units.quality(values(points)[-1])}" for width, points in found.items())
    heading = f"{label} by width" + (f" on {source}" if source else "")
    return several(heading, f"last: {last}", found, identity="evaluation-widths")


def best_point(points: Points) -> tuple[float, float] | None:
    """The earliest of the highest points after the start; None where there is none."""
    trained = [point for point in points if point[0] > 0 and values([point])]
    return max(trained, key=lambda point: point[1], default=None)
