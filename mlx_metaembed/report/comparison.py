"""The page of a comparison: which model to use and why, its quality with intervals on each data, what each takes."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mlx_metaembed.report import intervals, units
from mlx_metaembed.report.document import document, replace, section
from mlx_metaembed.report.forest import forest
from mlx_metaembed.report.markup import tag, text
from mlx_metaembed.report.options import Option, Row, names, option, shortest
from mlx_metaembed.report.scatter import Mark, scatter
from mlx_metaembed.report.tables import SIGNS, caption, fold, table
from mlx_metaembed.report.tiles import tile

COSTS = (
    ("latency_median_s", "one text", units.milliseconds),
    ("bytes_on_disk", "bytes on disk", units.size),
    ("bytes_per_vector", "bytes a vector", units.size),
)
TASKS = {"sts": "Scored pairs", "pair_classification": "Judged pairs", "bitext": "Sentences of two sides"} | {
    name: name.capitalize() for name in ("retrieval", "classification", "clustering", "reranking")
}
"""Tasks in words."""
PANELS = ("time", "disk", "vector")


def write(path: str | Path, result: Mapping[str, object]) -> Path:
    """The path of the page of what `metaembed compare` gives. Raises JobError where it can't be written."""
    return replace(path, page(result))


def page(result: Mapping[str, object]) -> str:
    """The page as a string; a result has `data` (task, counts, figures and the main one by name), `rows`, `choice`."""
    rows, data = result["rows"], result["data"]
    called, files = names(rows), shortest(data)
    chosen = (result["choice"]["name"], result["choice"]["vector"])
    said = result["choice"]["said"]
    title = "Which model to use"
    heads = [
        tag("h1", text(title)),
        *(tag("p", text(each), class_="lede" if not at else None) for at, each in enumerate(said)),
        _tiles(rows, data, files, chosen),
    ]
    parts = [tag("header", *heads)]
    for at, (name, about) in enumerate(data.items()):
        found = [row for row in rows if row["data"] == name]
        parts.append(section(f"Quality on {files[name]}", *_quality(found, about, called, chosen, f"d{at}")))
    first = [row for row in rows if row["data"] == next(iter(data))]
    parts.append(section("What they take", *_taken(rows, first, files, called)))
    parts.append(section("The models", _models(first, called)))
    return document(title, parts)


def _tiles(rows: Sequence[Row], data: Mapping[str, Mapping], files: Mapping[str, str], chosen: Option) -> str:
    """The chosen one in three figures."""
    found = {str(row["data"]): row for row in rows if option(row) == chosen}
    (name, row), main = next(iter(found.items())), str(data[next(iter(found))]["main"])
    ends = intervals.ends(row, main)
    note = f"95 % interval {intervals.written(ends)}" if ends else f"on {files[name]}"
    parts = [tile(f"{units.label(main)} on {files[name]}", units.quality(row[main]), text(note))]
    late = f"95 of 100 within {units.milliseconds(row['latency_p95_s'])}"
    parts.append(tile("One text", text(units.milliseconds(row["latency_median_s"])), text(late)))
    width = f"{row['dimensions']:,} dimensions; the model {units.size(row['bytes_on_disk'])} on disk"
    parts.append(tile("A vector", text(units.size(row["bytes_per_vector"])), text(width)))
    return tag("dl", *parts, class_="tiles")


def _quality(
    rows: Sequence[Row], about: Mapping[str, object], called: Mapping[Option, str], chosen: Option, identity: str
) -> list[str]:
    """One data: figures and differences drawn and in tables, and the main figure against what it costs."""
    main, figures = str(about["main"]), [str(figure) for figure in about["figures"]]
    held = ", ".join(f"{count:,} {what}" for what, count in about["counts"].items())
    label, first = units.label(main), called[option(rows[0])]
    kinds = ["after" if option(row) == chosen else "alone" for row in rows]
    values = [
        (called[option(row)], row[main], intervals.ends(row, main), kind) for row, kind in zip(rows, kinds, strict=True)
    ]
    key = f"{main}_difference"
    apart = [
        (called[option(row)], row[key], intervals.ends(row, key), kind)
        for row, kind in zip(rows, kinds, strict=True)
        if key in row
    ]
    drawn = [
        forest(values, heading=label, note="dot and 95 % interval", identity=f"{identity}-values"),
        forest(apart, heading=f"Difference to {first}", note="drawn in pairs", identity=f"{identity}-apart", zero=True),
    ]
    others = [figure for figure in figures if figure != main]
    return [
        tag("p", text(f"{TASKS.get(about['task'], about['task'])}: {held}.")),
        tag("div", *drawn, class_="panels"),
        _measured(rows, main, called, chosen),
        *(
            fold(units.label(each), _headline(rows, each, called), _measured(rows, each, called, chosen))
            for each in others
        ),
        tag("div", *_costs(rows, main, called, chosen, identity), class_="panels"),
    ]


def _costs(
    rows: Sequence[Row], main: str, called: Mapping[Option, str], chosen: Option, identity: str
) -> Iterator[str]:
    """The main figure against time, bytes on disk and bytes a vector; of what a model costs, its best vector."""
    models = shortest(dict.fromkeys(str(row["name"]) for row in rows))
    best = {name: max((row for row in rows if row["name"] == name), key=lambda row: row[main]) for name in models}
    for panel, (cost, what, write) in zip(PANELS, COSTS, strict=True):
        of_vectors = cost == "bytes_per_vector"
        if of_vectors and len({row[cost] for row in rows}) == 1:
            continue
        shown = rows if of_vectors else best.values()
        marks = [
            Mark(
                called[option(row)] if of_vectors else models[str(row["name"])],
                float(row[cost]),
                row[main],
                intervals.ends(row, main),
                "after" if (option(row) == chosen if of_vectors else row["name"] == chosen[0]) else "alone",
            )
            for row in shown
        ]
        note, label = "up and to the left is better", units.label(main)
        yield scatter(marks, quality=label, cost=what, write=write, note=note, identity=f"{identity}-{panel}")


def _measured(rows: Sequence[Row], figure: str, called: Mapping[Option, str], chosen: Option) -> str:
    """A figure of every model as a `<table>`, with its difference to the first."""
    lines = []
    for row in rows:
        written, sign = intervals.difference(row, figure)
        p = units.finite(row.get(f"{figure}_p"))
        lines.append(
            tag(
                "tr",
                tag("th", text(called[option(row)]), scope="row"),
                tag("td", intervals.shown(row, figure), class_="after" if option(row) == chosen else None),
                tag("td", written, class_=SIGNS[sign]),
                tag("td", text(units.DASH if p is None else f"{p:.3f}"), class_="was"),
            )
        )
    return table(caption(figure), ["Model", units.label(figure), "Difference to the first", "p"], lines)


def _headline(rows: Sequence[Row], figure: str, called: Mapping[Option, str]) -> str:
    """The best of a figure."""
    known = [row for row in rows if units.finite(row.get(figure)) is not None]
    best = max(known, key=lambda row: row[figure], default=None)
    return f"{units.quality(best[figure])} at best, {called[option(best)]}" if best else ""


def _taken(
    rows: Sequence[Row], first: Sequence[Row], files: Mapping[str, str], called: Mapping[Option, str]
) -> list[str]:
    """Times on each data, which are a model's, and sizes, which do not depend on the data."""
    parts = [
        tag(
            "p",
            "Times are those of this machine and its other work at that moment. One text is encoded by itself, many "
            "together, tokenising included.",
        )
    ]
    models = shortest(dict.fromkeys(str(row["name"]) for row in first))
    for name, shown in files.items():
        found = {str(row["name"]): row for row in rows if row["data"] == name}
        lines = [
            _line(
                models[model],
                units.milliseconds(row["latency_median_s"]),
                units.milliseconds(row["latency_p95_s"]),
                units.significant(row["texts_per_second"]),
            )
            for model, row in found.items()
        ]
        said = tag("caption", tag("b", "Speed"), text(f" on the texts of {shown}"))
        parts.append(table(said, ["Model", "One text", "95 of 100", "Texts a second"], lines))
    lines = [
        _line(
            called[option(row)],
            f"{row['dimensions']:,}",
            units.size(row["bytes_per_vector"]),
            units.size(row["bytes_on_disk"]),
        )
        for row in first
    ]
    said = tag("caption", tag("b", "Sizes"), ": on disk are weights and tokenizer")
    return [*parts, table(said, ["Model", "Dimensions", "A vector", "On disk"], lines)]


def _line(name: str, *cells: str) -> str:
    return tag("tr", tag("th", text(name), scope="row"), *(tag("td", text(cell)) for cell in cells))


def _models(rows: Sequence[Row], called: Mapping[Option, str]) -> str:
    """Where each model came from, and what computed it."""
    found = {str(row["name"]): str(row["engine"]) for row in rows}
    parts = [
        tag("div", tag("dt", text(name)), tag("dd", text(f"{model}, on {units.value('engine', found[model])}")))
        for model, name in shortest(found).items()
    ]
    return tag("dl", *parts, class_="facts")
