"""`metaembed report`: the page of a run, with what it and its base do on held-out data."""

from pathlib import Path

import click

from mlx_metaembed.cli.options import (
    columns_options,
    dims_option,
    engine_option,
    json_option,
    max_characters_option,
    max_seq_length_option,
    task_options,
)
from mlx_metaembed.cli.output import answer, note
from mlx_metaembed.errors import CallError
from mlx_metaembed.progress.display import Progress

EPILOG = """\b
Examples:
  metaembed report runs/mine --eval held-out.jsonl
  metaembed report runs/mine --eval beir/scifact --eval sts.csv --output page.html
  metaembed report runs/mine --eval labelled.csv --task clustering
"""


@click.command("report", epilog=EPILOG)
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--eval",
    "files",
    multiple=True,
    metavar="FILE",
    help="Data that was held out, as `metaembed eval` reads it: the run and its base are measured on it. Repeatable.",
)
@click.option("--train-data", help="Classification: labelled texts that it learns from, read as --eval is.")
@task_options
@columns_options
@dims_option("Widths to measure at, like 384,96. Default: those that the run trained.")
@click.option("--base", help="The base, where it is no longer where the run began.")
@click.option("--output", type=click.Path(path_type=Path), help="Where to write the page. Default: RUN/report.html.")
@max_characters_option
@max_seq_length_option
@engine_option
@json_option
def command(
    run: Path,
    files: tuple[str, ...],
    train_data: str | None,
    task: str | None,
    ks: tuple[int, ...],
    ignore_identical_ids: bool,
    draws: int,
    seed: int,
    columns: str,
    no_header: bool,
    dims: tuple[int, ...] | None,
    base: str | None,
    output: Path | None,
    max_characters: int,
    max_seq_length: int | None,
    engine: str,
    as_json: bool,
) -> None:
    """Write RUN's page, RUN/report.html: what was trained, how it went, and what came of it.

    With --eval the base and the run are measured side by side, by every task that `metaembed eval` knows, with 95 %
    intervals. What was found is kept with the run, so that later pages show it too. The page is one file that needs
    nothing else.
    """
    from mlx_metaembed import report
    from mlx_metaembed.training import breakdown, metrics

    report.require_run(run)
    if files:
        settings = {"task": task, "train": train_data, "ks": ks, "ignore_identical_ids": ignore_identical_ids}
        settings |= {"seed": seed, "columns": columns, "no_header": no_header, "max_characters": max_characters}
        report.keep(run, measured(run, files, dims, base, max_seq_length, engine, draws, settings))
    else:
        given = {"--dims": dims, "--base": base, "--task": task, "--train-data": train_data, "--columns": columns}
        if alone := [name for name, value in given.items() if value]:
            raise CallError(f"{alone[0]} belongs to --eval FILE, which measures")
    page = report.of_run(run, out=output)
    kept = report.evaluations(run)
    sets = breakdown.data_sets(metrics.read(metrics.path_in(run)))
    result = {"report": str(page), "data_sets": sets, "evaluations": kept}
    lines = [f"{page}: {', '.join(each['data'] for each in kept) or 'no evaluation yet; add --eval FILE'}"]
    answer(result, as_json, lines)


def measured(
    run: Path,
    files: tuple[str, ...],
    dims: tuple[int, ...] | None,
    base: str | None,
    max_seq_length: int | None,
    engine: str,
    draws: int,
    settings: dict,
) -> list[dict]:
    """The base and the run on each of the files, which are read with `settings`.

    Raises CallError before anything is measured where one can't be.
    """
    from mlx_metaembed import embedder
    from mlx_metaembed import folder as folders
    from mlx_metaembed.evaluate.compared import compared
    from mlx_metaembed.evaluate.model import texts_to_encode
    from mlx_metaembed.evaluate.read import read
    from mlx_metaembed.recipe import Recipe
    from mlx_metaembed.recipe.long_form import long_form, named_widths
    from mlx_metaembed.training import claim

    recipe, folder = long_form(Recipe(**claim.settings(run))), folders.read(run)
    if wrong := [str(each) for each in dims or () if each > folder.dimensions]:
        raise CallError(
            f"Width {', '.join(wrong)}: the run gives {folder.dimensions} dimensions; expected at most that"
        )
    rows = [read(file, **settings) for file in files]
    for file, each in zip(files, rows, strict=True):
        for text in each.notes:
            note(f"{file}: {text}")
    length = max_seq_length or recipe.max_seq_length
    named = base or _base(run, recipe.model)

    def load(model: str | Path) -> embedder.Embedder:
        loaded = embedder.load(model, engine=engine, max_seq_length=length)
        loaded.require_dense()
        return loaded

    found = []
    for file, each in zip(files, rows, strict=True):
        with Progress(texts_to_encode(each) * (2 if named else 1), f"measuring on {Path(file).name}") as bar:
            found.append(
                compared(
                    (lambda: load(named)) if named else None,
                    lambda: load(run),
                    each,
                    widths=dims or named_widths(recipe),
                    data=file,
                    progress=bar.update,
                    draws=draws,
                )
            )
    return found


def _base(run: Path, model: str) -> str | None:
    """What the run began from: as the recipe says, else as its adapter does, which moves along; None, with a note."""
    from mlx_metaembed import folder as folders
    from mlx_metaembed.folder import locate

    faults = []
    for named in (model, *([folders.base_name(run)] if (run / folders.ADAPTER).is_file() else [])):
        try:
            locate.resolve(named, weights=False)
            return named
        except CallError as error:
            faults.append(str(error))
    note(f"Without before: the base can't be found; name it with --base. {faults[0]}")
    return None
