"""The page of a scheme of semantic IDs: its digits, how they are used, and what their levels mean."""

from collections.abc import Mapping, Sequence

from mlx_metaembed.report import units
from mlx_metaembed.report.document import document, section
from mlx_metaembed.report.markup import tag, text

Row = Mapping[str, object]
BAR, SHOWN = 120, 24
"""Pixels of the longest bar, and levels of a code digit that are listed."""
ABOUT_DIGITS = (
    "Perplexity is how many levels, used alike, would be as even; stable: the share of texts that keep their level when"
    " the scheme is fitted again on nine tenths of them."
)
ABOUT_AXES = (
    "How often a digit is right on texts that nothing was fitted on, or within one level, beside a linear probe on the "
    "vectors and the commonest level."
)
DIGITS = {
    "name": "Digit",
    "kind": "Kind",
    "levels": "Levels",
    "used": "Used",
    "perplexity": "Perplexity",
    "stable": "Stable",
}
PREFIXES = {
    "digits": "First digits",
    "distinct": "Distinct",
    "shared": "Texts that share theirs",
    "largest": "Most texts of one",
    "cohesion": "Cohesion",
}
AXES = {
    "axis": "Axis",
    "texts": "Texts",
    "accuracy": "Right",
    "within_one": "Within one",
    "probe": "Probe",
    "commonest": "Commonest",
}
FREE = {"axis": "Free axis", "tells": "Tells", "accuracy": "Right", "commonest": "Commonest"}


def page(title: str, lede: str, measures: Mapping[str, Sequence[Row]], levels: Sequence[Row]) -> str:
    """The page as a string. `measures` as ids.json has them; `levels`: a row a digit, `{"name", "kind", "levels"}`,
    each level as `semantic_ids.explain` gives it.
    """
    digits = [row | {"name": row["name"] or f"digit {row['digit']}"} for row in measures["digits"]]
    kept = f"Of a text's ten nearest others {units.share(measures['r10'])} are found among the IDs' own vectors."
    parts = [
        tag("header", tag("h1", text(title)), tag("p", text(lede))),
        section(
            "Digits",
            tag("p", ABOUT_DIGITS + " " + text(kept)),
            _table(digits, DIGITS),
            _table(measures["prefixes"], PREFIXES),
            tag("p", "Cohesion: the mean cosine of two texts that begin alike, less that of any two."),
        ),
        section(
            "Axes",
            tag("p", ABOUT_AXES) if measures["axes"] else "",
            _table(measures["axes"], AXES),
            _table(measures["free"], FREE),
        ),
        section("Levels", *map(_digit, levels)),
    ]
    return document(title, parts)


def _table(rows: Sequence[Row], names: Mapping[str, str]) -> str:
    """A `<table>` of the columns that some row has; nothing for no rows."""
    if not rows:
        return ""
    shown = {key: name for key, name in names.items() if any(row.get(key) is not None for row in rows)}
    head = tag("thead", tag("tr", *(tag("th", text(name), scope="col") for name in shown.values())))
    lines = []
    for row in rows:
        first, *others = [_cell(row.get(key)) for key in shown]
        lines.append(tag("tr", tag("th", first, scope="row"), *(tag("td", each) for each in others)))
    return tag("table", head, tag("tbody", *lines))


def _cell(value: object) -> str:
    if value is None:
        return units.DASH
    return text(f"{value:.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value)


def _digit(row: Row) -> str:
    """A digit that opens: a bar and the words for each level. Named axes are open from the start."""
    is_axis = row["kind"] != "code"
    levels = list(row["levels"])
    shown = levels if is_axis else sorted(levels, key=lambda level: -level["texts"])[:SHOWN]
    most = max((level["texts"] for level in levels), default=1)
    more = len(levels) - len(shown)
    lines = [_level(level, most) for level in shown]
    said = f"{row['kind']}, {len(levels):,} levels used" + (f", {more:,} not listed" if more else "")
    return tag(
        "details",
        tag("summary", tag("b", text(row["name"])), tag("span", text(said))),
        tag("div", tag("table", tag("tbody", *lines)), class_="folded"),
        open="" if is_axis else None,
    )


def _level(level: Row, most: int) -> str:
    width = max(BAR * level["texts"] / most, 1.0)
    bar = tag("svg", tag("rect", width=width, height="10", class_="dot"), viewBox=f"0 0 {BAR} 10", width=str(BAR))
    about = [tag("b", text(level["label"] or level["level"])), f" {text(', '.join(level['words']))}"]
    example = tag("span", text(str(level["examples"][0])[:160]), class_="range") if level["examples"] else ""
    return tag(
        "tr",
        tag("th", *about, example, scope="row"),
        tag("td", bar, tag("span", text(f"{level['texts']:,}"), class_="range")),
    )
