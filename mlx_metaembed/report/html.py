"""The page of a run: what came out, the results, the training, answers, and the facts of the run.

One file that needs nothing else. It is written under a temporary name first, so a half-written page is never seen.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mlx_metaembed.duration import duration
from mlx_metaembed.errors import JobError
from mlx_metaembed.report import plots, tables, tradeoff, units
from mlx_metaembed.report.markup import tag, text
from mlx_metaembed.report.results import Entry, Row, measures, pair
from mlx_metaembed.report.series import series, values
from mlx_metaembed.report.style import CSS

CODE_LINES, CODE_COLUMNS = 14, 160
"""What is shown of an answer's text."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The browser is told to fetch nothing and to run nothing, whatever the texts hold."""


def write(
    path: str | Path,
    *,
    title: str,
    rows: Sequence[Row] = (),
    metrics: Sequence[Mapping[str, object]] = (),
    facts: Mapping[str, object] | None = None,
    answers: Sequence[Mapping[str, object]] = (),
) -> Path:
    """Write the page of a run; a page that stood at `path` is replaced in one step. Returns the path.

    `rows`: the results, `{"name": "before@384", "dimensions", "bytes_per_vector", "bytes_on_disk", "ndcg@10", ...}`;
    `metrics`: the rows of metrics.jsonl; `facts`: shown as a list, with units by the key's ending (`_bytes`, `_s`,
    `_share`), `memory_budget_bytes` also as a line in its plot;
    `answers`: `{"query", "hits": [{"score", "id", "text"}]}`.
    Any of them may be empty and any key missing. Raises JobError where the file can't be written.
    """
    path = Path(path)
    content = page(title=title, rows=rows, metrics=metrics, facts=facts, answers=answers)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise JobError(
            f"Could not write {path}: {error.strerror or error}. What was there before is untouched."
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()
    return path


def page(
    *,
    title: str,
    rows: Sequence[Row] = (),
    metrics: Sequence[Mapping[str, object]] = (),
    facts: Mapping[str, object] | None = None,
    answers: Sequence[Mapping[str, object]] = (),
) -> str:
    """The page as a string; arguments as of `write`. A part that has nothing to show is left out."""
    facts = facts or {}
    entries, shown = pair(rows), measures(rows)
    lede = " · ".join(units.value(key, facts[key]) for key in ("model", "data") if facts.get(key) is not None)
    plot = tradeoff.quality(entries, shown[0]) if shown else ""
    training = plots.loss(metrics) + plots.panels(metrics, units.finite(facts.get("memory_budget_bytes")))
    parts = [
        tag("header", tag("h1", text(title)), tag("p", text(lede)) if lede else "", _tiles(entries, shown, metrics)),
        _section("Results", plot, tables.results(rows)),
        _section("Training", training),
        _section("Answers", *map(_answer, answers)),
        _section("The run", _facts(facts)),
        tag("footer", "Written by mlx-metaembed. Bytes are decimal: 1 MB is 1,000,000 bytes."),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>\n{CSS}\n</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(filter(None, parts))
        + "\n</main>\n</body>\n</html>\n"
    )


def _section(heading: str, *parts: str) -> str:
    return tag("section", tag("h2", text(heading)), *parts) if any(parts) else ""


def _tiles(entries: Sequence[Entry], shown: Sequence[str], metrics: Sequence[Mapping[str, object]]) -> str:
    """The run in up to three figures: quality at full width, the shortest vector that is as good, time and memory."""
    found = []
    measure = shown[0] if shown else ""
    widths = [entry for entry in entries if entry.is_width and entry.number("before", measure) is not None]
    full = max(widths, key=lambda entry: int(entry.label), default=None)
    if full and (after := full.number("after", measure)) is not None:
        before = full.number("before", measure)
        written, sign = units.change(before, after)
        figure = f"{units.quality(before)} → {units.quality(after)}"
        name = f"{units.label(measure)} at {full.label} dimensions"
        found.append(_tile(name, text(figure), tag("span", written, class_=tables.SIGNS[sign]) + " by training"))
    if full and (least := _least(entries, measure, full)):
        size, entry = least
        whole = full.number("before", "bytes_per_vector")
        name = f"{entry.label} dimensions" if entry.is_width else entry.label
        note = f"{name}, {units.quality(entry.number('after', measure))}: {units.significant(whole / size)}× shorter"
        found.append(_tile(f"Shortest as good as {full.label} untrained", text(units.size(size)), text(note)))
    times, peaks = values(series(metrics, "elapsed_s")), values(series(metrics, "peak_memory_bytes"))
    if times:
        steps = f"{len(series(metrics, 'elapsed_s')):,} steps logged"
        note = f"peak memory {units.size(max(peaks))}" if peaks else steps
        found.append(_tile("Training time", text(duration(max(times))), text(note)))
    return tag("dl", *found, class_="tiles") if found else ""


def _tile(name: str, figure: str, note: str) -> str:
    return tag("div", tag("dt", text(name)), tag("dd", figure, class_="figure"), tag("dd", note, class_="note"))


def _least(entries: Sequence[Entry], measure: str, full: Entry) -> tuple[float, Entry] | None:
    """The fewest bytes a vector, shorter than the full one, that do after training what the full one did before."""
    whole, bar = full.number("before", "bytes_per_vector"), full.number("before", measure)
    good = [
        (size, place, entry)
        for place, entry in enumerate(entries)
        if (size := entry.number("after", "bytes_per_vector"))
        and whole
        and 0 < size < whole
        and (value := entry.number("after", measure)) is not None
        and value >= bar
    ]
    return (min(good)[0], min(good)[2]) if good else None


def _facts(facts: Mapping[str, object]) -> str:
    pairs = [
        tag("div", tag("dt", text(units.label(str(key)))), tag("dd", text(units.value(str(key), value))))
        for key, value in facts.items()
    ]
    return tag("dl", *pairs, class_="facts") if pairs else ""


def _answer(answer: Mapping[str, object]) -> str:
    """A question that opens to its hits."""
    hits = list(answer.get("hits") or ())
    first = tag("span", text(hits[0].get("id", ""))) if hits else tag("span", "no hits")
    listed = tag("ol", *map(_hit, hits)) if hits else ""
    return tag("details", tag("summary", tag("b", text(answer.get("query", ""))), first), listed)


def _hit(hit: Mapping[str, object]) -> str:
    score = units.finite(hit.get("score"))
    head = tag("span", units.DASH if score is None else units.quality(score)) + tag("b", text(hit.get("id", "")))
    return tag("li", tag("div", head, class_="hit"), tag("pre", tag("code", _excerpt(str(hit.get("text") or "")))))


def _excerpt(code: str) -> str:
    """The first lines, long ones cut, and how much is left out."""
    lines = code.strip("\n").splitlines()
    cut = [line if len(line) <= CODE_COLUMNS else line[: CODE_COLUMNS - 1] + "…" for line in lines[:CODE_LINES]]
    while cut and not cut[-1].strip():
        cut.pop()
    rest = len(lines) - len(cut)
    more = tag("i", f"\n… {rest:,} more line{'s' if rest > 1 else ''}") if rest > 0 else ""
    return text("\n".join(cut)) + more
