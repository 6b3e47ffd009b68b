"""The page of a run: what came out, the results, the training, answers, and the facts of the run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlx_metaembed.report import data_sets, plots, tables, tradeoff, units
from mlx_metaembed.report.answers import Answer
from mlx_metaembed.report.answers import answers as list_answers
from mlx_metaembed.report.document import document, replace, section
from mlx_metaembed.report.evaluation import evaluation, evaluation_by_width
from mlx_metaembed.report.histograms import histograms
from mlx_metaembed.report.markup import tag, text
from mlx_metaembed.report.mined import mined
from mlx_metaembed.report.mistakes import mistakes, neighbours
from mlx_metaembed.report.results import Row, measures, pair
from mlx_metaembed.report.tiles import tiles


def write(path: str | Path, **parts: object) -> Path:
    """Write the page of a run, of the parts that `page` takes; a page that stood at `path` is replaced in one step.

    Returns the path. Raises JobError where the file can't be written.
    """
    return replace(path, page(**parts))


def page(
    *,
    title: str,
    lede: str = "",
    hint: str = "",
    rows: Sequence[Row] = (),
    metrics: Sequence[Mapping[str, object]] = (),
    facts: Mapping[str, object] | None = None,
    answers: Sequence[Answer] = (),
    evaluations: Sequence[Mapping[str, object]] = (),
    eval_data: str = "",
    objectives: Mapping[str, str] | None = None,
) -> str:
    """The page as a string. Any part may be empty and any key missing; what has nothing to show is left out.

    `rows`: the results, `{"name": "before@384", "dimensions", "bytes_per_vector", "bytes_on_disk", "ndcg@10", ...}`;
    `answers`: questions with what was found, see `report.answers`; `evaluations` are more of both, by data, with
    scores, neighbours and mistakes, see `evaluate.compared`. `metrics`: the rows of metrics.jsonl; `facts`: shown as a
    list, with units by the key's ending (`_bytes`, `_s`, `_share`), `memory_budget_bytes` and `planned_memory_bytes`
    also as lines in their plot. `hint` is a command to type, where there are no results; `eval_data` the name of what
    was measured while it trained; `objectives` has the data set of each, where there are several.
    """
    facts = facts or {}
    results = [{"rows": rows, "answers": answers}] if rows or answers else []
    results += evaluations
    found = next((each["rows"] for each in results if each.get("rows")), ())
    entries, shown = pair(found), measures(found)
    lede = lede or " · ".join(units.value(key, facts[key]) for key in ("model", "data") if facts.get(key) is not None)
    limits = (units.finite(facts.get(key)) for key in ("memory_budget_bytes", "planned_memory_bytes"))
    sets = data_sets.table(metrics)
    training = [
        evaluation(metrics, eval_data),
        evaluation_by_width(metrics, eval_data),
        sets or plots.loss(metrics),
        data_sets.losses(metrics, objectives),
        data_sets.weights(metrics),
        mined(metrics),
        plots.by_width(metrics, objectives or ()),
        plots.panels(metrics, *limits),
    ]
    named = zip(results, _names(results), strict=True)
    parts = [
        tag("header", tag("h1", text(title)), tag("p", text(lede)) if lede else "", tiles(entries, shown, metrics)),
        section(
            "Results", tag("p", "Not measured yet. With data that was held out:"), tag("pre", tag("code", text(hint)))
        )
        if hint and not results
        else "",
        *(_results(each, f"r{place}", name) for place, (each, name) in enumerate(named)),
        section("Training", *training),
        section("The run", list_facts(facts)),
    ]
    return document(title, parts)


def _names(results: Sequence[Mapping[str, object]]) -> list[str]:
    """What each set of data is called: with its task, where one set was measured by several."""
    names = [each.get("data") or "" for each in results]
    return [
        f"{name}, {str(each.get('task')).replace('_', ' ')}" if name and names.count(name) > 1 else name
        for name, each in zip(names, results, strict=True)
    ]


def _results(found: Mapping[str, object], identity: str, name: str) -> str:
    """One set of data: its plot, its tables, its scores, its answers, and what they do not show."""
    rows = found.get("rows") or ()
    entries, shown = pair(rows), measures(rows)
    note = found.get("note")
    plot = tradeoff.quality(entries, shown[0], identity) if shown else ""
    said = tag("p", text(note)) if note and (plot or rows) else ""
    scores = histograms(found.get("scores"), identity)
    return (
        section(f"Results on {name}" if name else "Results", said, tables.results(rows), plot, scores)
        + section(f"Answers from {name}" if name else "Answers", list_answers(found.get("answers") or ()))
        + section(f"Neighbours that changed in {name}", neighbours(found.get("neighbours")))
        + section(f"The hardest mistakes on {name}", mistakes(found.get("mistakes")))
    )


def list_facts(facts: Mapping[str, object]) -> str:
    """Facts as a list of terms, with units by the key's ending; nothing for none."""
    pairs = [
        tag("div", tag("dt", text(units.label(str(key)))), tag("dd", text(units.value(str(key), value))))
        for key, value in facts.items()
    ]
    return tag("dl", *pairs, class_="facts") if pairs else ""
