"""`metaembed ids lm-train`: a language model that writes texts of an ID."""

from pathlib import Path

import click

from mlx_metaembed.cli.options import columns_options, engine_option, json_option, max_characters_option
from mlx_metaembed.cli.output import answer, note

EPILOG = """\b
Examples:
  metaembed ids lm-train HuggingFaceTB/SmolLM2-135M novels.ids novels.lm
  metaembed ids lm-train ./smollm2 words.jsonl words.lm --ids novels.ids --condition film --epochs 5
  metaembed ids lm-train ./smollm2 coded.jsonl coded.lm --columns id=code --condition prefix
"""
dtype_option = click.option(
    "--dtype",
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    default="auto",
    show_default=True,
    help="Arithmetic of the base; what is learned is float32.",
)


@click.command("lm-train", epilog=EPILOG)
@click.argument("base")
@click.argument("data")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--ids", "scheme", type=click.Path(path_type=Path), help="The scheme that codes DATA's texts.")
@click.option("--digits", type=int, help="Only the first so many digits of the IDs. Default: all.")
@click.option(
    "--condition",
    default="text",
    show_default=True,
    metavar="text|prefix|film",
    help="How the ID enters: written before the text and read by LoRA, as learned vectors, or as gains of the norms.",
)
@click.option("--rank", type=int, help="Rank of LoRA; 0 for none.  [default: 8 for text without --train-base, else 0]")
@click.option("--train-base", is_flag=True, help="The base's own weights learn too: for small ones, or from scratch.")
@click.option("--vectors", type=int, default=4, show_default=True, help="Learned vectors a digit, for prefix.")
@click.option("--embedding", type=int, default=32, show_default=True, help="Features of a digit, for film.")
@click.option("--epochs", type=float, default=3.0, show_default=True)
@click.option("--steps", type=int, help="Steps, instead of epochs.")
@click.option("--batch-size", type=int, default=16, show_default=True, help="Texts a step.")
@click.option(
    "--learning-rate",
    type=float,
    help="Its peak.  [default: 5e-4 for text, 1e-2 for prefix, 2e-3 for film, 1e-3 with --train-base]",
)
@click.option("--warmup-ratio", type=float, default=0.1, show_default=True, help="Share of the steps.")
@click.option("--id-dropout", type=float, default=0.1, show_default=True, help="Share of the texts shown without ID.")
@click.option("--max-tokens", type=int, default=128, show_default=True, help="Tokens a text; longer ones are cut.")
@click.option("--held-out", type=float, default=0.1, show_default=True, help="Share of the texts to measure with.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@columns_options
@max_characters_option
@dtype_option
@engine_option
@json_option
def command(
    base: str,
    data: str,
    out: Path,
    scheme: Path | None,
    digits: int | None,
    columns: str,
    no_header: bool,
    max_characters: int,
    dtype: str,
    engine: str,
    as_json: bool,
    **settings: object,
) -> None:
    """Teach the language model BASE to write texts of an ID, and write what it learned as the folder OUT.

    DATA is a folder of metaembed ids train, with its texts; or rows with a column text, and a column id or the --ids
    that codes them. BASE stays as it is: a folder that mlx-lm loads, or a hub id. A call that was ended goes on when
    it is given again.
    """
    from mlx_metaembed.conditioned_lm import make
    from mlx_metaembed.conditioned_lm.settings import Settings

    mapped = {"mapped": columns, "no_header": no_header, "max_characters": max_characters}
    call = make.Call(base, data, out, scheme, digits, mapped, engine, dtype)
    made = make.make(call, Settings(**settings), note=note)
    measures, learned = made.about["measures"], sum(array.size for array in made.weights.values())
    result = {
        "lm": str(out),
        "base": base,
        "condition": made.settings.condition,
        "parameters": learned,
        "digits": [
            {"digit": at + 1, "name": made.levels.spoken(at), "levels": count}
            for at, count in enumerate(made.levels.counts)
        ],
    }
    lines = [f"{out}: {made.settings.condition}, {learned:,} numbers learned in {measures['steps']:,} steps"]
    if "bits_id" in measures:
        lines.append(
            f"Bits a token on {measures['texts']:,} held-out texts: {measures['bits_id']:.3f} with their ID, "
            f"{measures['bits_none']:.3f} with none, {measures['bits_shuffled']:.3f} with another's"
        )
        if measures["bits_id_unseen"] is not None and measures["bits_id_seen"] is not None:
            lines.append(
                f"  IDs that were learned: {measures['bits_id_seen']:.3f}; IDs that were not "
                f"({measures['texts_unseen']:,} texts): {measures['bits_id_unseen']:.3f}"
            )
    example = ".".join("0" for _ in made.levels.counts)
    lines.append(f"Write with: metaembed ids lm-sample {out} --id {example}")
    answer(result | measures, as_json, lines)
