"""`metaembed codes fit`: a code fitted to a model's vectors."""

import click

from mlx_metaembed.cli.options import (
    columns_options,
    engine_option,
    json_option,
    max_characters_option,
    max_seq_length_option,
)
from mlx_metaembed.cli.output import answer, note, table
from mlx_metaembed.progress.display import Stages

EPILOG = """\b
Examples:
  metaembed codes fit runs/mine texts.jsonl --bytes 32
  metaembed codes fit runs/mine vectors.npy --bytes 15 --kind residual --name small
"""


@click.command("fit", epilog=EPILOG)
@click.argument("model")
@click.argument("data")
@click.option("--bytes", "size", type=int, required=True, help="Bytes of a code, at most, scales and norms counted.")
@click.option("--kind", default="auto", show_default=True, help="Which codec; auto chooses on a tenth.")
@click.option("--name", help="What the code is called. Default: code-BYTES.")
@click.option("--sample", type=click.IntRange(2), default=40_000, show_default=True, help="Texts to fit on, at most.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is drawn.")
@max_characters_option
@columns_options
@max_seq_length_option
@engine_option
@json_option
def command(
    model: str,
    data: str,
    size: int,
    kind: str,
    name: str | None,
    sample: int,
    seed: int,
    max_characters: int,
    columns: str,
    no_header: bool,
    max_seq_length: int | None,
    engine: str,
    as_json: bool,
) -> None:
    """Fit a code to the vectors that MODEL gives for DATA, and keep it in MODEL's folder as metaembed/codes/NAME.

    DATA is any data that `index` reads, or a .npy of vectors. Take texts like those that will be searched, but not
    those that the code is measured on. A tenth is held out, by which --kind auto chooses: by nDCG where DATA has
    queries and what answers them, else by the neighbours kept. Ended and called again, it goes on where it was.
    """
    from mlx_metaembed import embedder
    from mlx_metaembed.evaluate import code_data, code_fit
    from mlx_metaembed.search import fingerprint

    loaded = embedder.load(model, engine=engine, max_seq_length=max_seq_length)
    loaded.require_dense()
    asked = code_fit.Settings(kind, size, name or f"code-{size}", seed)
    code_fit.check(loaded.folder, asked)
    reading = {"columns": columns, "no_header": no_header, "max_characters": max_characters}
    side, judged = code_data.to_fit(data, loaded.folder.dimensions, sample, seed, **reading)
    note(f"Engine: {loaded.engine.name} ({loaded.engine.reason})")
    stages = Stages()
    try:
        model_marks, settings = fingerprint.of(loaded.folder), {"note": note, "advance": stages.prepared}
        made, tried = code_fit.fit(loaded, side, asked, model_marks, judged=judged, **settings)
    finally:
        stages.close()
    path = code_fit.room(loaded.folder) / made["name"]
    result = {"model": model, "data": data, "engine": loaded.engine.name, "code": str(path), **made, "rows": tried}
    shown = [name for name in tried[0] if not name.endswith(("_low", "_high"))]
    answer(result, as_json, [*table(tried, shown), "", *_said(made, model, str(path), loaded.folder.dimensions)])


def _said(made: dict, model: str, path: str, dimensions: int) -> list[str]:
    size, whole = made["bytes_per_vector"], 4 * dimensions
    shorter = f"{whole / size:.1f} times fewer than the {whole:,} of float32"
    chosen = [f"Chosen by {made['chosen_by']}."] if "chosen_by" in made else []
    return [
        *chosen,
        f"{path}: {made['kind']}, {size:,} bytes a vector, {shorter}.",
        f"Use it with: metaembed index {model} CORPUS OUT --code {made['name']}",
    ]
