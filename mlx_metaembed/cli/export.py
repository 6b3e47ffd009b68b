"""`metaembed export`: a model for other tools."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlx_metaembed.cli.options import json_option
from mlx_metaembed.cli.output import answer, note
from mlx_metaembed.errors import CallError
from mlx_metaembed.progress.display import Stages

if TYPE_CHECKING:
    from mlx_metaembed.export.matrices import Rounding

KEPT = (("cosine", "cosine"), ("kept_r10", "neighbours (R10)"), ("kept_ndcg", "nDCG@10"))
BITS = ["2", "3", "4", "5", "6", "8"]


@click.command("export")
@click.argument("model")
@click.argument("out")
@click.option(
    "--to", "form", type=click.Choice(["sentence-transformers", "mlx"]), required=True, help="For which tool."
)
@click.option("--bits", type=click.Choice(BITS), help="mlx: bits a weight.  [default: 8, or those of the mode]")
@click.option(
    "--mode",
    type=click.Choice(["affine", "mxfp4", "nvfp4", "mxfp8"]),
    help="mlx: how a weight becomes bits; affine in 2 to 8 bits, the others in 4, 4 and 8.  [default: affine]",
)
@click.option("--embedding-bits", type=click.Choice(BITS), help="mlx: bits of the word embedding.  [default: --bits]")
@click.option(
    "--bytes",
    "size",
    metavar="SIZE",
    help="mlx: give every matrix bits of its own, so that the weights take at most so much: 12MB, or bytes.",
)
@click.option("--mean-bits", type=float, help="mlx: the same by the mean of bits a weight, scales counted: 3.5.")
@click.option(
    "--group-size",
    type=click.Choice(["16", "32", "64", "128"]),
    help="mlx: weights a scale.  [default: 64, or that of the mode]",
)
@click.option(
    "--calibrate",
    "texts",
    metavar="TEXTS",
    help="mlx: calibrate the rounding on these texts or rows, and measure on a part of them what is kept.",
)
@click.option("--calibration-texts", type=click.IntRange(1), help="mlx: calibrate on so many at most.  [default: 1024]")
@click.option("--calibration-steps", type=click.IntRange(0), help="mlx: steps of its distillation.  [default: 100]")
@click.option("--engine", type=click.Choice(["auto", "mlx", "torch"]), help="mlx: what computes it.  [default: auto]")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16", "bfloat16"]),
    help="Default: as the model has it; for mlx float16, for what is not quantized.",
)
@click.option("--task", help="sentence-transformers: fold this task's adapter into the trunk.")
@click.option(
    "--average-with-base",
    type=float,
    metavar="SHARE",
    help="sentence-transformers: average the weights with those of the base; 0.5 is half of each.",
)
@click.option("--base", help="What to average with.  [default: the model that a run began from]")
@json_option
def command(
    model: str,
    out: str,
    form: str,
    bits: str | None,
    mode: str | None,
    embedding_bits: str | None,
    size: str | None,
    mean_bits: float | None,
    group_size: str | None,
    texts: str | None,
    calibration_texts: int | None,
    calibration_steps: int | None,
    engine: str | None,
    dtype: str | None,
    task: str | None,
    average_with_base: float | None,
    base: str | None,
    as_json: bool,
) -> None:
    """Write MODEL as the new folder OUT for other tools.

    \b
    Examples:
      metaembed export runs/demo/model mine-4bit --to mlx --bits 4
      metaembed export runs/demo/model mine-3bit --to mlx --bits 3 --calibrate texts.jsonl
      metaembed export runs/demo/model mine --to sentence-transformers --dtype float16
      metaembed export jina matching --to sentence-transformers --task text-matching
      metaembed export runs/mine milder --to sentence-transformers --average-with-base 0.5
    """
    of_mlx = {"bits": bits, "mode": mode, "embedding_bits": embedding_bits, "group_size": group_size}
    calibrating = {"calibration_texts": calibration_texts, "calibration_steps": calibration_steps, "engine": engine}
    budget = {"bytes": size, "mean_bits": mean_bits}
    said_of_mlx = of_mlx | budget | {"calibrate": texts} | calibrating
    if form != "mlx" and (named := [name for name, value in said_of_mlx.items() if value is not None]):
        raise CallError(f"--{named[0].replace('_', '-')} belongs to --to mlx")
    if texts is None and (named := [name for name, value in calibrating.items() if value is not None]):
        raise CallError(f"--{named[0].replace('_', '-')} belongs to --calibrate TEXTS")
    averaged = {"average_with_base": average_with_base, "base": base}
    for option, value in ({"task": task} | averaged).items():
        if form == "mlx" and value is not None:
            option = option.replace("_", "-")
            raise CallError(
                f"--{option} belongs to --to sentence-transformers; what that writes can be exported --to mlx"
            )
    from mlx_metaembed import folder as folders
    from mlx_metaembed.files.disk import bytes_on_disk
    from mlx_metaembed.folder import locate

    found = folders.read(locate.resolve(model))
    settings: dict = {}
    said: dict[str, object] = {}
    if form == "mlx":
        from mlx_metaembed.export.matrices import Rounding
        from mlx_metaembed.export.mlx import export
        from mlx_metaembed.files.sizes import parse_size

        settings = {name: value if name == "mode" else int(value) for name, value in of_mlx.items() if value}
        settings |= {name: value for name, value in budget.items() if value is not None}
        if size is not None:
            settings["bytes"] = int(size) if size.isdecimal() else parse_size(size, "bytes")
        said = _said(Rounding(**settings))
    else:
        from mlx_metaembed.export.sentence_transformers import export

        settings = {"task": task} if task else {}
        settings |= {name: value for name, value in averaged.items() if value is not None}
        said = settings
    notes: list[str] = []

    def hear(text: str) -> None:
        notes.append(text)
        note(text)

    stages, figures = Stages(), {}
    if form == "mlx":
        settings |= {"advance": stages.prepared, "heard": figures.update}
    if texts is not None:
        from mlx_metaembed.export.calibration import Calibration

        words = {"calibration_texts": "most", "calibration_steps": "steps", "engine": "engine"}
        named = {words[name]: value for name, value in calibrating.items() if value is not None}
        settings["calibrate"] = Calibration(texts, **named)
        said |= {name: getattr(settings["calibrate"], word) for name, word in words.items()} | {"calibrated_on": texts}
    try:
        written = export(found, out, dtype=dtype, note=hear, **settings)
    finally:
        stages.close()
    size = bytes_on_disk(Path(out))
    result = {
        "out": str(out),
        "to": form,
        **said,
        "dtype": written.config.get("dtype"),
        "bytes_on_disk": size,
        "weights_bytes": (Path(out) / "model.safetensors").stat().st_size,
        "model_weights_bytes": sum(path.stat().st_size for path in found.weights()),
        **figures,
        "notes": notes,
    }
    share = result["weights_bytes"] / result["model_weights_bytes"]
    lines = [f"{out}: {size / 1e6:.1f} MB on disk, weights {share:.0%} of the model's"]
    if any(name in figures for name, _ in KEPT):
        lines.append("Kept: " + ", ".join(f"{what} {figures[name]:.4f}" for name, what in KEPT if name in figures))
    answer(result, as_json, lines)


def _said(rounding: "Rounding") -> dict[str, object]:
    """What was asked of the rounding, in the answer's words."""
    if rounding.is_mixed:
        asked = {"bytes": rounding.bytes, "mean_bits": rounding.mean_bits}
        common = {name: value for name, value in rounding.common.items() if name != "bits"}
        return common | {name: value for name, value in asked.items() if value is not None}
    return rounding.common | {"embedding_bits": rounding.embedding["bits"]}
