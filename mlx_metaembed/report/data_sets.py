"""A run of several data sets or objectives: the sets' shares in a table, and the loss of each in a panel of its own.

A batch is of one set, so that the loss over the steps goes from set to set; one curve of it would say nothing.
"""

from collections.abc import Mapping, Sequence

from mlx_metaembed.report import units
from mlx_metaembed.report.key import key, swatch
from mlx_metaembed.report.markup import tag, text
from mlx_metaembed.report.plots import PANEL, SMOOTHED_FROM, curve, figure, reach, several
from mlx_metaembed.report.series import ends, series, smooth, values
from mlx_metaembed.training.breakdown import OBJECTIVE, SET, data_sets
from mlx_metaembed.training.weighting import WEIGHT

HEADS = ("Data set", "Rows", "Share of the steps", "Tokens", "Padding", "Loss, first tenth", "Loss, last tenth")

Metrics = Sequence[Mapping[str, object]]


def table(metrics: Metrics) -> str:
    """A `<table>` with a line for each data set; nothing where there is one."""
    lines = []
    for found in data_sets(metrics):
        cells = [
            units.value("rows", found["rows"]),
            units.share(found["share"]),
            units.value("tokens", found["tokens"]),
            units.value("padding", found["padding"]),
            *(units.significant(each) if each is not None else units.DASH for each in _ends(found)),
        ]
        named = zip(HEADS[1:], cells, strict=True)
        cells = [tag("td", text(cell), data_name=name) for name, cell in named]
        lines.append(tag("tr", tag("th", text(found["name"]), scope="row"), *cells))
    if not lines:
        return ""
    caption = tag("caption", tag("b", "Data sets"), ": a batch is from one of them.")
    head = tag("thead", tag("tr", *(tag("th", text(name), scope="col") for name in HEADS)))
    return tag("table", caption, head, tag("tbody", *lines), class_="sets")


def losses(metrics: Metrics, objectives: Mapping[str, str] | None = None) -> str:
    """Panels with the loss on each data set, and of each objective where a set has several; nothing for none.

    `objectives` has the data set of each.
    """
    sets = [found["name"] for found in data_sets(metrics)]
    drawn = {f"Loss on {name}": f"{SET}{name}/loss" for name in sets}
    for name in shared(objectives):
        where = f" on {objectives[name]}" if sets else ""
        drawn[f"Loss of {name}{where}"] = f"{OBJECTIVE}{name}"
    found = {heading: points for heading, quantity in drawn.items() if (points := series(metrics, quantity))}
    if not found:
        return ""
    steps = [step for points in found.values() for step, _ in points]
    panels = []
    for at, (heading, points) in enumerate(found.items()):
        first, last = ends(points)
        drawing = curve(
            points,
            frame=PANEL,
            title=f"{heading} over the steps",
            smoothed=smooth(points, reach(points)) if len(points) >= SMOOTHED_FROM else None,
            span=(min(steps), max(steps)),
            identity=f"loss-{at}",
        )
        note = f"{units.significant(first)} → {units.significant(last)}"
        panels.append(figure(heading, note if len(values(points)) > 1 else units.significant(last), drawing))
    is_smoothed = any(len(points) >= SMOOTHED_FROM for points in found.values())
    legend = [(swatch("raw"), "each step"), (swatch("curve"), "smoothed")] if is_smoothed else []
    return tag("div", key(legend), tag("div", *panels, class_="panels"), class_="losses")


def weights(metrics: Metrics) -> str:
    """How much each objective counted, where the run learned it, a line each; nothing for none."""
    names = dict.fromkeys(name for row in metrics for name in row if name.startswith(WEIGHT))
    found = {name.removeprefix(WEIGHT): points for name in names if (points := series(metrics, name))}
    return several("Learned weights", "what each loss is multiplied by", found, identity="weights", zero=True)


def shared(objectives: Mapping[str, str] | None) -> list[str]:
    """The objectives whose data set has others too; only of those the loss is not the set's own."""
    sets = list((objectives or {}).values())
    return [name for name, where in (objectives or {}).items() if sets.count(where) > 1]


def _ends(found: Mapping[str, object]) -> list[float | None]:
    return [units.finite(found["loss_first"]), units.finite(found["loss_last"])]
