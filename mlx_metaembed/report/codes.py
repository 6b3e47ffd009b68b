"""The page of `codes compare`: what each code keeps against its bytes, as pictures and a table.

Codes that are fitted stand in one picture, those that cost nothing in another of the same range.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlx_metaembed.codes import kinds
from mlx_metaembed.files import disk
from mlx_metaembed.report import units
from mlx_metaembed.report.axes import Frame, decimal, grid, picture, powers_of_two, ticks
from mlx_metaembed.report.document import document, section
from mlx_metaembed.report.html import list_facts
from mlx_metaembed.report.key import key, swatch
from mlx_metaembed.report.markup import tag, text
from mlx_metaembed.report.plots import SERIES, figure, line

FRAMES = ((Frame(980, 340), "wide"), (Frame(420, 320, left=44), "narrow"))
FREE = [each.kind for each in kinds.FREE]
MEASURES = {
    "kept_ndcg": "nDCG@10 as a share of the float vectors', by the code alone",
    "kept_r10": "share of the float vectors' ten nearest among the code's ten",
    "kept_r100": "share of the float vectors' ten nearest among the code's hundred",
    "kept_spearman": "agreement of all scores with the float vectors'",
    "kept_ndcg_rescored": "nDCG@10 kept, the code's hundred put in order by float vectors",
}
DRAWN = ("kept_ndcg", "kept_r10")
Rows = Sequence[Mapping[str, object]]


def write(path: Path, result: Mapping[str, object], notes: Sequence[str] = ()) -> Path:
    """Write the page of a comparison; its path. Raises JobError where it can't be written."""
    with disk.replacing_file(path) as partial:
        partial.write_text(page(result, notes), encoding="utf-8")
    return path


def page(result: Mapping[str, object], notes: Sequence[str] = ()) -> str:
    """The page of what `codes compare` answers, as a string."""
    rows = result["rows"]
    name = Path(str(result["data"])).name
    title, lede = f"Codes of {Path(str(result['model'])).name}", f"measured on {name}"
    shown = [tag("p", text(note)) for note in notes]
    drawn = [_pictures(rows, measure) for measure in DRAWN]
    told = {"model": result["model"], "data": name, **result["counts"], "engine": result["engine"]}
    parts = [
        tag("header", tag("h1", text(title)), tag("p", text(lede))),
        section("Quality against bytes", *shown, *drawn),
        section("Every code", _table(rows)),
        section("The comparison", list_facts(told)),
    ]
    return document(title, parts)


def _pictures(rows: Rows, measure: str) -> str:
    """A figure for the fitted codes and one for the free ones; nothing where none has the measure."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        value, size = units.finite(row.get(measure)), units.finite(row.get("bytes_per_vector"))
        if value is not None and size and row.get("kind") != "float32":
            found.setdefault(str(row["kind"]), []).append((size, value))
    every = [point for points in found.values() for point in points]
    if not every:
        return ""
    groups = {
        "Fitted codes": [kind for kind in found if kind not in FREE],
        "Free codes": [kind for kind in found if kind in FREE],
    }
    return "".join(
        _figure(f"{heading}: {units.label(measure)}", measure, {kind: sorted(found[kind]) for kind in some}, every, at)
        for at, (heading, names) in enumerate(groups.items())
        for some in (names[first : first + SERIES] for first in range(0, len(names), SERIES))
    )


def _figure(heading: str, measure: str, lines: Mapping[str, list], every: list, group: int) -> str:
    marks = {kind: f"curve s{at}" for at, kind in enumerate(lines, 1)}
    pictures = [
        _plot(heading, lines, marks, every, frame, shape, f"{measure}-{group}-{next(iter(lines))}")
        for frame, shape in FRAMES
    ]
    legend = key([(swatch(mark), kind) for kind, mark in marks.items()])
    return figure(heading, "up and to the left is better", legend, *pictures)


def _plot(
    heading: str,
    lines: Mapping[str, list],
    classes: Mapping[str, str],
    every: list,
    frame: Frame,
    shape: str,
    identity: str,
) -> str:
    sizes, values = [size for size, _ in every], [value for _, value in every]
    room = 1.2 if max(sizes) > 2 * min(sizes) else 2.0
    across = frame.across(min(sizes) / room, max(sizes) * room, log=True)
    upward = ticks(min(values), max(*values, 1.0), 6)
    up = frame.up(upward[0], upward[-1])
    steps = powers_of_two(across.low, across.high, frame.width // 55)
    marks = []
    for kind, points in lines.items():
        marks.append(line(points, across, up, classes[kind]) if len(points) > 1 else "")
        said = (f"{kind}: {units.quality(value)}, {units.size(size)} a vector" for size, value in points)
        marks += [
            tag(
                "circle",
                tag("title", text(words)),
                cx=across(size),
                cy=up(value),
                r=3.5,
                class_=f"{classes[kind]} point",
            )
            for words, (size, value) in zip(said, points, strict=True)
        ]
    return picture(
        frame,
        grid(frame, up, upward, decimal(upward)),
        grid(frame, across, steps, lambda step: f"{step:,.0f}", name="bytes a vector, log scale"),
        *marks,
        title=f"{heading} against bytes a vector",
        description="; ".join(
            f"{kind}: " + ", ".join(f"{units.quality(value)} at {size:,.0f} bytes" for size, value in points)
            for kind, points in lines.items()
        ),
        shape=shape,
        identity=f"{identity}-{shape}",
    )


def _table(rows: Rows) -> str:
    """A line a code: bytes, what is kept with its interval, and time."""
    measures = [name for name in MEASURES if any(name in row for row in rows)]
    heads = ["Bytes", *(units.label(name) for name in measures), "Fit", "Encode"]
    lines = []
    for row in rows:
        cells = [units.value("bytes", row["bytes_per_vector"]), *(_ranged(row, name) for name in measures)]
        cells.append(units.value("fit_s", row.get("seconds")))
        cells.append(f"{row['encode_us']:,.0f} µs" if "encode_us" in row else units.DASH)
        named = [tag("td", text(cell), data_name=name) for name, cell in zip(heads, cells, strict=True)]
        lines.append(tag("tr", tag("th", text(row["name"]), scope="row"), *named))
    meant = "; ".join(f"{units.label(name)}: {MEASURES[name]}" for name in measures)
    caption = tag("caption", text(f"{meant}. In brackets 95 % intervals; encode is a vector's time."))
    head = tag("thead", tag("tr", *(tag("th", text(name), scope="col") for name in ["Code", *heads])))
    return tag("table", caption, head, tag("tbody", *lines), class_="sets codes")


def _ranged(row: Mapping[str, object], name: str) -> str:
    value = units.finite(row.get(name))
    if value is None:
        return units.DASH
    low, high = (units.finite(row.get(f"{name}_{end}")) for end in ("low", "high"))
    ends = f" [{units.quality(low)}, {units.quality(high)}]" if low is not None and high is not None else ""
    return (units.quality(value) + ends).replace("0.", ".")
