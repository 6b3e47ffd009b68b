"""`metaembed search`: questions in words, answers from an index."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlx_metaembed.cli.cache import opened_cache, told
from mlx_metaembed.cli.options import cache_options, engine_option, json_option
from mlx_metaembed.cli.output import answer, note

if TYPE_CHECKING:
    from mlx_metaembed.search.opened import Hit


EPILOG = """\b
Example:
  metaembed search notes.index "where did I put the keys" -k 3
  cat questions.txt | metaembed search notes.index - --json
"""


@click.command("search", epilog=EPILOG)
@click.argument("index", type=click.Path(path_type=Path))
@click.argument("query", nargs=-1, required=True)
@click.option("-k", "--count", "k", type=click.IntRange(1), default=10, show_default=True, help="Hits for each query.")
@click.option("--model", help="The model, where it is no longer where the index was built with it.")
@cache_options
@engine_option
@json_option
def command(
    index: Path,
    query: tuple[str, ...],
    k: int,
    model: str | None,
    cache: str | None,
    cache_hours: float | None,
    engine: str,
    as_json: bool,
) -> None:
    """Ask INDEX each QUERY; `-` reads queries from stdin, one a line.

    Every hit has its rank, its score (larger is nearer), its id (of a note path:line) and the first line of its text.
    """
    from mlx_metaembed import embedder
    from mlx_metaembed.search import fingerprint
    from mlx_metaembed.search import index as indexes

    texts = _queries(query)
    opened = indexes.open(index)
    about = opened.about
    kept = opened_cache(cache, cache_hours)
    loaded = embedder.load(model or about.model, engine=engine, max_seq_length=about.max_seq_length, cache=kept)
    note(f"Engine: {loaded.engine.name} ({loaded.engine.reason})")
    if about.fingerprint:
        opened.require_fingerprint(fingerprint.of(loaded.folder), model or about.model)
    else:
        note(f"{index} has no fingerprint of its model; one text's vector is compared. A new index will have one")
    opened.require_model(loaded.folder.dimensions, loaded.folder.prompts)
    made = {"truncate_dim": about.dims, "normalize_embeddings": loaded.compares_by_cosine}
    opened.require_same(loaded.encode(opened.probe(), prompt_name="document", **made))
    vectors = loaded.encode(texts, prompt_name="query", **made)
    results = [
        {"query": text, "hits": [_hit(rank, hit) for rank, hit in enumerate(hits, start=1)]}
        for text, hits in zip(texts, opened.search(vectors, k), strict=True)
    ]
    lines = [line for result in results for line in ["", result["query"], *_lines(result["hits"])]]
    facts = {"index": str(index), "model": model or about.model, "engine": loaded.engine.name}
    facts |= {} if kept is None else {"cache": told(kept)}
    answer(facts | {"results": results}, as_json, lines[1:])


def _hit(rank: int, hit: "Hit") -> dict:
    place = {} if hit.path is None else {"path": hit.path, "line": hit.line}
    return {"rank": rank, "score": hit.score, "id": hit.id, "text": hit.text} | place


def _lines(hits: list[dict]) -> list[str]:
    """Rank, score, id and the text's first line, in columns."""
    width = max((len(hit["id"]) for hit in hits), default=0)
    return [f"{hit['rank']:>4}  {hit['score']:7.4f}  {hit['id']:<{width}}  {_first_line(hit['text'])}" for hit in hits]


def _queries(given: tuple[str, ...]) -> list[str]:
    """The queries as texts. Raises CallError for an empty one, one that is no text, or an empty stdin."""
    from mlx_metaembed.data.faults import Faults
    from mlx_metaembed.errors import CallError

    texts = []
    for text in given:
        if text == "-":
            texts += _stdin()
        elif not text.strip():
            raise CallError("A query is empty; expected words")
        else:
            texts.append(text)
    faults = Faults("The call", sys.maxsize)
    for number, text in enumerate(texts, start=1):
        faults.text(f"query {number}", None, text)
    faults.raise_any()
    return texts


def _stdin() -> list[str]:
    """The lines of stdin with words in them. Raises CallError where there are none, or they are not UTF-8."""
    from mlx_metaembed.errors import CallError

    try:
        lines = [line.strip() for line in sys.stdin.buffer.read().decode("utf-8").split("\n")]
    except UnicodeDecodeError as error:
        raise CallError(f"stdin is not UTF-8 text (byte {error.start})") from None
    if not any(lines):
        raise CallError("stdin holds no query; expected one a line")
    return [line for line in lines if line]


def _first_line(text: str, width: int = 100) -> str:
    """The first line with words in it, cut to a terminal's width."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= width else line[: width - 1] + "…"
