"""The results tables: what came out after training, by how much that changed, and what was there before.

The first measure stands open; every other one is folded into a line that says its figures at full width. A table has
few enough columns for a phone.
"""

from collections.abc import Sequence

from mlx_metaembed.report import intervals, units
from mlx_metaembed.report.markup import tag, text
from mlx_metaembed.report.results import STAGES, Entry, Row, measures, others, pair

SIGNS = {1: "good", -1: "bad", 0: "none"}
COLUMNS = 3
"""Facts in one table; more of them stand in several."""
MEANINGS = {
    "ndcg": "how near the top the right answers stand",
    "recall": "share of the right answers among the first ones",
    "mrr": "one over the rank of the first right answer",
    "map": "mean precision at each right answer",
    "precision": "share of right answers among the first ones found",
    "accuracy": "share of right decisions",
    "macro_f1": "F1 score, each label counting alike",
    "logistic_accuracy": "share of right decisions of a logistic regression",
    "logistic_macro_f1": "F1 score of a logistic regression, each label counting alike",
    "ap": "mean precision as the threshold falls, over the pairs that belong together",
    "f1": "the best F1 score that a threshold gives",
    "v_measure": "how far clusters and labels agree",
    "homogeneity": "how far a cluster has one label",
    "completeness": "how far a label is in one cluster",
    "reverse_accuracy": "share of right decisions, from the second side to the first",
    "spearman": "agreement of the order of similarities with people's",
    "pearson": "agreement of the similarities with people's",
    "kept_spearman": "agreement of the cosines with those of the full-width vectors",
    "kept_r10": "share of the full-width vectors' ten nearest that is found",
    "kept_ndcg": "nDCG as a share of the full-width vectors'",
}


def results(rows: Sequence[Row]) -> str:
    """The rows as tables, the first measure's open and the others folded; nothing for no rows."""
    if not rows:
        return ""
    entries, shown = pair(rows), measures(rows)
    facts = [key for key in ("dimensions", "bytes_on_disk", *others(rows)) if any(key in row for row in rows)]
    parts = [measured(entries, key, bytes_too=True) for key in shown[:1]]
    parts += [fold(units.label(key), _headline(entries, key), measured(entries, key)) for key in shown[1:]]
    listed = [_facts(entries, facts[first : first + COLUMNS]) for first in range(0, len(facts), COLUMNS)]
    if listed and shown:
        parts.append(fold("Sizes and counts", ", ".join(units.label(key) for key in facts), *listed))
    return "".join(parts if shown else listed)


def measured(entries: Sequence[Entry], key: str, *, bytes_too: bool = False) -> str:
    """One measure of every entry as a `<table>`: after, change, before; one column where nothing was trained."""
    staged = any(stage in entry.stages for entry in entries for stage in STAGES)
    sized = bytes_too and any("bytes_per_vector" in row for entry in entries for row in entry.stages.values())
    heads = [
        "Vector",
        *(["Bytes"] if sized else []),
        *(["After", "Change", "Before"] if staged else [units.label(key)]),
    ]
    lines = [
        tag(
            "tr",
            tag("th", text(name(entry)), scope="row", title=entry.names),
            _fact(entry, "bytes_per_vector") if sized else "",
            *_cells(entry, key, staged),
        )
        for entry in entries
    ]
    return _table(_caption(key), heads, lines)


def fold(heading: str, note: str, *parts: str) -> str:
    """Parts behind a line that opens them."""
    summary = tag("summary", tag("b", text(heading)), tag("span", text(note)))
    return tag("details", summary, tag("div", *parts, class_="folded"), class_="fold")


def name(entry: Entry) -> str:
    """What a line of a table is called."""
    return f"{entry.label} dimensions" if entry.is_width else entry.label


def _headline(entries: Sequence[Entry], key: str) -> str:
    """A measure at the first entry that has it, with its change; of what is kept at the last: the first keeps all."""
    for entry in reversed(entries) if key.startswith("kept_") else entries:
        before, after = entry.number("before", key), entry.number("after", key)
        if before is not None and after is not None:
            return f"{units.quality(after)}, {units.change(before, after)[0]} at {name(entry)}"
        found = next((value for stage in entry.stages if (value := entry.number(stage, key)) is not None), None)
        if found is not None:
            return f"{units.quality(found)} at {name(entry)}"
    return ""


def _caption(key: str) -> str:
    meaning = MEANINGS.get(key.partition("@")[0])
    said = f": {meaning}. More is better." if meaning else ""
    return tag("caption", tag("b", text(units.label(key))), text(said))


def _table(caption: str, heads: Sequence[str], lines: Sequence[str]) -> str:
    head = tag("thead", tag("tr", *(tag("th", text(word), scope="col") for word in heads)))
    return tag("table", caption, head, tag("tbody", *lines))


def _cells(entry: Entry, key: str, staged: bool) -> list[str]:
    """A measure's cells; an entry that stands alone has its value where others have what came out."""
    shown = entry.stages.get("alone", entry.stages.get("after"))
    first = tag("td", intervals.shown(shown, key), class_="after")
    if not staged:
        return [first]
    before = tag("td", intervals.shown(entry.stages.get("before"), key), class_="was")
    written, sign = _change(entry, key)
    return [first, tag("td", written, class_=SIGNS[sign]), before]


def _change(entry: Entry, key: str) -> tuple[str, int]:
    """What training changed, with its interval where it was drawn in pairs; a change whose interval has 0 is none."""
    before, after = entry.number("before", key), entry.number("after", key)
    if before is None or after is None:
        return units.DASH, 0
    drawn = entry.number("after", f"{key}_difference") is not None
    return intervals.difference(entry.stages["after"], key) if drawn else units.change(before, after)


def _facts(entries: Sequence[Entry], keys: Sequence[str]) -> str:
    lines = [
        tag("tr", tag("th", text(name(entry)), scope="row"), *(_fact(entry, key) for key in keys)) for entry in entries
    ]
    return _table("", ["Vector", *(units.label(key) for key in keys)], lines)


def _fact(entry: Entry, key: str) -> str:
    """One cell; where before and after differ, both with an arrow."""
    found = [units.value(key, row[key]) for row in entry.stages.values() if row.get(key) is not None]
    written = " → ".join(dict.fromkeys(found)) or units.DASH
    return tag("td", text(written))
