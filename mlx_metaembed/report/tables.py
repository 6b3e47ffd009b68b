"""The results table: a line for each vector, before and after side by side, and their difference.

A line with one stage shows its one value. Without any stage at all each measure is one plain column.
"""

from collections.abc import Sequence

from mlx_metaembed.report import units
from mlx_metaembed.report.markup import tag, text
from mlx_metaembed.report.results import STAGES, Entry, Row, measures, others, pair

SIGNS = {1: "good", -1: "bad", 0: "none"}
MEANINGS = {
    "ndcg": "how near the top the right answers stand",
    "recall": "share of the right answers among the first ones",
    "mrr": "one over the rank of the first right answer",
    "map": "mean precision at each right answer",
    "accuracy": "share of right decisions",
    "spearman": "agreement of the order of similarities with people's",
}


def results(rows: Sequence[Row]) -> str:
    """The rows as a `<table>` that scrolls sideways where it must; nothing for no rows."""
    if not rows:
        return ""
    entries, shown, extra = pair(rows), measures(rows), others(rows)
    staged = any(stage in entry.stages for entry in entries for stage in STAGES)
    first, last = ("bytes_per_vector",), (*extra, "dimensions", "bytes_on_disk")
    facts, facts_after = ([key for key in keys if any(key in row for row in rows)] for keys in (first, last))
    lines = [
        tag(
            "tr",
            tag("th", text(_name(entry)), scope="row", title=entry.names),
            *(_fact(entry, key) for key in facts),
            *("".join(_measure(entry, key, staged)) for key in shown),
            *(_fact(entry, key) for key in facts_after),
        )
        for entry in entries
    ]
    table = tag("table", _head(facts, shown, facts_after, staged), tag("tbody", *lines))
    scroll = tag("div", table, class_="scroll", tabindex=0, role="region", aria_label="Results")
    return scroll + _meanings(shown)


def _name(entry: Entry) -> str:
    return f"{entry.label} dimensions" if entry.is_width else entry.label


def _head(facts: Sequence[str], shown: Sequence[str], facts_after: Sequence[str], staged: bool) -> str:
    down = 2 if staged and shown else None
    fact = [tag("th", text(units.label(key)), scope="col", rowspan=down) for key in facts]
    fact_after = [tag("th", text(units.label(key)), scope="col", rowspan=down) for key in facts_after]
    first = tag("th", "Vector", scope="col", rowspan=down)
    if not down:
        measure = [tag("th", text(units.label(key)), scope="col") for key in shown]
        return tag("thead", tag("tr", first, *fact, *measure, *fact_after))
    groups = [tag("th", text(units.label(key)), scope="colgroup", colspan=3) for key in shown]
    parts = [("before", "open"), ("after", None), ("change", None)]
    under = [tag("th", word, scope="col", class_=kind) for _ in shown for word, kind in parts]
    return tag("thead", tag("tr", first, *fact, *groups, *fact_after), tag("tr", *under))


def _measure(entry: Entry, key: str, staged: bool) -> list[str]:
    """A measure's cells: before, after, change; one over all three for an entry that stands alone."""
    alone = entry.number("alone", key)
    if "alone" in entry.stages:
        return [tag("td", _shown(alone), colspan=3 if staged else None, class_="one" if staged else None)]
    before, after = entry.number("before", key), entry.number("after", key)
    cells = [tag("td", _shown(before), class_="open"), tag("td", _shown(after))]
    if before is None or after is None:
        return [*cells, tag("td", units.DASH, class_="none")]
    written, sign = units.change(before, after)
    return [*cells, tag("td", written, class_=SIGNS[sign])]


def _shown(value: float | None) -> str:
    return units.DASH if value is None else units.quality(value)


def _fact(entry: Entry, key: str) -> str:
    """One cell; where before and after differ, both with an arrow."""
    found = [units.value(key, row[key]) for row in entry.stages.values() if row.get(key) is not None]
    written = " → ".join(dict.fromkeys(found)) or units.DASH
    return tag("td", text(written))


def _meanings(shown: Sequence[str]) -> str:
    """What the measures mean, in one line under the table."""
    found = dict.fromkeys(key.partition("@")[0] for key in shown)
    known = [f"{units.label(name + '@')[:-1]}: {MEANINGS[name]}" for name in found if name in MEANINGS]
    return tag("p", text("; ".join(known) + ". More is better."), class_="measures") if known else ""
