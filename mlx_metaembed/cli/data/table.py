"""`metaembed data table`: any source of rows as JSON lines."""

from dataclasses import asdict
from pathlib import Path

import click

from mlx_metaembed.cli.data.progress import counting
from mlx_metaembed.cli.options import columns_options, json_option
from mlx_metaembed.cli.output import answer, notes
from mlx_metaembed.progress.display import Progress

EPILOG = """\b
Examples:
  metaembed data table faq.csv faq.jsonl --columns query=Question,positive=Answer
  metaembed data table datasets/scifact scifact.jsonl
  metaembed data table flag.jsonl pairs.jsonl --columns prompt=,type=
  metaembed data table sentence-transformers/all-nli:triplet:train nli.jsonl
"""


@click.command("table", epilog=EPILOG)
@click.argument("source")
@click.argument("out", type=click.Path(path_type=Path))
@columns_options
@json_option
def command(source: str, out: Path, columns: str, no_header: bool, as_json: bool) -> None:
    """Write SOURCE's rows into OUT.jsonl: CSV, Parquet, SQLite, JSON, a BEIR folder, FlagEmbedding's lists, a data set.

    Columns keep their names but where --columns gives them others. A list of positives becomes a row for each; a BEIR
    folder a row for each text that is relevant to a query, by its judgements of `train` (FOLDER?qrels=NAME for others).
    A data set of Hugging Face is a folder that it was saved to (FOLDER?split=NAME), or NAME[:CONFIG][:SPLIT] with the
    extra `datasets`, streamed; no code of it is run.
    """
    from mlx_metaembed.data.flat_rows import write

    with Progress(None, "rows") as bar:
        written = write(source, out, mapped=columns, no_header=no_header, told=counting(bar, "rows"))
    notes(written.notes)
    found = asdict(written)
    result = {"source": source, "out": str(out)} | {name: found[name] for name in ("read", "rows", "columns")}
    lines = [
        f"{out}: {written.rows:,} rows out of {written.read:,}, columns {', '.join(written.columns)}.",
        f"Look at it with: metaembed data check {out}",
    ]
    answer(result, as_json, lines)
