"""The assistant's page: goals beside what was reached, each part's tables, curves, histograms and bars."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlx_metaembed.report import plots, units
from mlx_metaembed.report.document import document, replace, section
from mlx_metaembed.report.histograms import histograms
from mlx_metaembed.report.html import list_facts
from mlx_metaembed.report.markup import tag, text
from mlx_metaembed.report.series import series, smooth

NAMES = {"base": "Base", "match": "Matching", "flow": "Flow", "tasks": "Several tasks", "bare": "Base, without names"}
COSINES = {"correlation": "Correlation", "same": "Same thread", "different": "Others", "gap": "Gap", "auc": "AUC"}
GUESSED = {"macro_f1": "Macro F1", "accuracy": "Accuracy"}
PARTS = (
    ("tokenising_s", "tokenising"),
    ("floor_s", "bare pass"),
    ("embedding_s", "embedding, whole"),
    ("search_s", "search"),
    ("classification_s", "classification"),
)
COLOURS = ("s1", "s2", "s3", "s4", "s5", "s6")
BAR = 320
"""Pixels of the longest bar."""


def write(path: Path, results: Mapping, metrics: Mapping[str, Sequence[Mapping]]) -> None:
    """Write the page of results as run.py gathers them; `metrics` are the rows of each model's log."""
    rows = {row["name"]: row for row in results["rows"]}
    header = tag("header", tag("h1", "An assistant that follows a chat"), tag("p", text(results["lede"])))
    parts = [
        header,
        section("Goals", _goals(results["goals"])),
        section(
            "Matching and flow",
            tag("p", text(ABOUT_PAIRS)),
            _figures(rows, COSINES, "Cosines of messages of held-out days"),
            *(
                tag(
                    "div",
                    tag("h3", text(f"{NAMES['base']} and {NAMES[name]}")),
                    histograms(stages, f"h-{name}"),
                    class_="losses",
                )
                for name, stages in results["histograms"].items()
            ),
        ),
        section(
            "Will it be answered?",
            tag("p", text(ABOUT_QUALITY)),
            _table(
                ("Guess by", "Spearman", "AUC"),
                [(each["name"], _figure(each, "spearman"), _figure(each, "auc")) for each in results["quality"]],
            ),
        ),
        section("Intents", _figures(rows, GUESSED, "BANKING77, a classifier on each model's vectors")),
        section("One message", tag("p", text(ABOUT_LATENCY)), _latency(rows)),
        section(
            "Whose vectors?", tag("p", text(ABOUT_CACHE)), *(tag("pre", text(each)) for each in results["refused"])
        ),
        section("Training", *(_curves(name, found) for name, found in metrics.items())),
        section("The run", list_facts(results["facts"])),
    ]
    replace(path, document("An assistant that follows a chat", parts))


ABOUT_PAIRS = (
    "Every message of the held-out days is paired with its answer, with another message of its thread, and with one of "
    "another thread of the same day. Correlation is Pearson's, of the cosine with whether two belong together (an "
    "answer or one thread), both weighing the same. A model whose vectors all crowd together raises the first mean and "
    "the second: the gap and the area under the curve (AUC) show it. In brackets 95 % of the draws of whole threads."
)
ABOUT_QUALITY = (
    "The score of the head beside the vector and whether a message was answered within ten minutes, on held-out days."
)
ABOUT_LATENCY = (
    "Milliseconds, the quickest of five, the median over messages. The bare pass is the model alone on the message's "
    "tokens: embedding is to take no more than a fifth above it."
)
ABOUT_CACHE = "Vectors, index and classifier of each model lie in a folder of its own. Another model is refused:"


def _goals(goals: Sequence[Mapping]) -> str:
    lines = []
    for goal in goals:
        met = tag("span", "met" if goal["met"] else "not met", class_="good" if goal["met"] else "bad")
        lines.append((goal["name"], text(goal["wanted"]), _number(goal.get("before")), _figure(goal, "found"), met))
    return _table(("Goal", "Wanted", "Before", "Found", ""), lines)


def _figures(rows: Mapping[str, Mapping], names: Mapping[str, str], caption: str) -> str:
    shown = [row for row in rows.values() if any(name in row for name in names)]
    lines = [(NAMES.get(row["name"], row["name"]), *(_figure(row, name) for name in names)) for row in shown]
    return _table(("Model", *names.values()), lines, caption) if lines else ""


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]], caption: str = "") -> str:
    """A table whose first column names its lines; the cells after it are markup. On a phone a line is a block."""
    head = tag("thead", tag("tr", *(tag("th", text(word), scope="col") for word in heads)))
    body = [
        tag(
            "tr",
            tag("th", text(line[0]), scope="row"),
            *(tag("td", tag("span", cell), data_name=name) for name, cell in zip(heads[1:], line[1:], strict=True)),
        )
        for line in lines
    ]
    return tag(
        "table", tag("caption", text(caption)) if caption else "", head, tag("tbody", *body), class_="sets figures"
    )


def _number(value: object) -> str:
    number = units.finite(value)
    return text(units.DASH if number is None else f"{number + 0.0:.3f}".replace("-", "\N{MINUS SIGN}"))


def _figure(row: Mapping, name: str) -> str:
    """A figure with its interval."""
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    ends = f" ({_number(low)} – {_number(high)})" if low is not None and high is not None else ""
    return _number(row.get(name)) + (tag("small", ends) if ends else "")


def _latency(rows: Mapping[str, Mapping]) -> str:
    """A table of the parts, and bars of the same lengths for all models."""
    timed = [row for row in rows.values() if "embedding_s" in row]
    parts = [(name, words) for name, words in PARTS if any(name in row for row in timed)]
    longest = max((row[name] for row in timed for name, _ in parts if name in row), default=0.0)
    lines = [
        (NAMES[row["name"]], *(_bar(row.get(name), longest, COLOURS[at]) for at, (name, _) in enumerate(parts)))
        for row in timed
    ]
    return _table(("Model", *(words for _, words in parts)), lines, "Milliseconds") if lines else ""


def _bar(seconds: float | None, longest: float, colour: str) -> str:
    if seconds is None:
        return text(units.DASH)
    width = max(BAR * seconds / longest, 1.0)
    line = tag("path", d=f"M0,5H{width:.1f}", class_=colour, stroke_width=8, style="stroke-dasharray:none")
    written = f"{1000 * seconds:.1f}" if seconds >= 1e-3 else f"{1000 * seconds:.3f}"
    return tag("span", text(written)) + tag("svg", line, viewBox=f"0 0 {BAR} 10", aria_hidden="true", width="90")


def _curves(name: str, metrics: Sequence[Mapping]) -> str:
    """The loss of a model's objectives over its steps."""
    keys = [key for row in metrics for key in row if key.startswith(("loss/", "weight/"))] or ["loss"]
    found = {key: points for key in dict.fromkeys(keys) if (points := series(metrics, key))}
    smoothed = {key: smooth(points, plots.reach(points)) for key, points in found.items()}
    return plots.several(
        NAMES[name], "loss and learned weights, smoothed", smoothed, identity=f"loss-{name}", zero=True
    )
