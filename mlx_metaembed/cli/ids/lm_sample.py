"""`metaembed ids lm-sample`: texts of an ID."""

from pathlib import Path

import click

from mlx_metaembed.cli.ids.lm_train import dtype_option
from mlx_metaembed.cli.number_range import NumberRange
from mlx_metaembed.cli.options import engine_option, json_option
from mlx_metaembed.cli.output import answer, note

EPILOG = """\b
Examples:
  metaembed ids lm-sample novels.lm --id 3.5.2.1
  metaembed ids lm-sample novels.lm --id 3.5.2.1 --count 20 --guidance 2 --temperature 0.8 --json
  metaembed ids lm-sample novels.lm --id none
"""
base_option = click.option("--base", help="The base, where it is no longer where it was.")


def draw_options(command: click.Command) -> click.Command:
    """How tokens are drawn."""
    for option in (
        click.option("--max-tokens", type=click.IntRange(1), default=64, show_default=True, help="Tokens a text."),
        click.option("--top-p", type=NumberRange(0, 1, min_open=True), default=1.0, show_default=True,
                     help="Draw from the likeliest tokens that have this share together."),
        click.option("--temperature", type=NumberRange(0), default=1.0, show_default=True,
                     help="0 takes the likeliest token."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command("lm-sample", epilog=EPILOG)
@click.argument("lm", type=click.Path(path_type=Path))
@click.option("--id", "wanted", required=True, metavar="ID", help="Digits like 3.5.2.1, or none.")
@click.option("--count", type=click.IntRange(1), default=5, show_default=True, help="Texts to write.")
@click.option(
    "--guidance",
    type=NumberRange(0),
    default=1.0,
    show_default=True,
    help="How far the ID counts beyond itself, by a second pass without it; 0 for none.",
)
@draw_options
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@base_option
@dtype_option
@engine_option
@json_option
def command(
    lm: Path,
    wanted: str,
    count: int,
    guidance: float,
    temperature: float,
    top_p: float,
    max_tokens: int,
    seed: int,
    base: str | None,
    dtype: str,
    engine: str,
    as_json: bool,
) -> None:
    """Write texts of an ID by the model LM, a folder of metaembed ids lm-train."""
    import numpy as np

    from mlx_metaembed.conditioned_lm import files, opened, sampling

    made = files.load(lm)
    digits = made.levels.none if wanted == "none" else np.array(made.levels.parse(wanted), np.int32)
    for at, level in enumerate(digits.tolist()):
        if level in made.unlearned[at]:
            note(f"{made.levels.spoken(at)}: no text with level {level} was learned from")
    found = opened.load(lm, base=base, engine=engine, dtype=dtype, note=note, made=made)
    draw = sampling.Draw(guidance, temperature, top_p, max_tokens)
    rows = np.repeat(digits[None], count, axis=0)
    written = sampling.write(found.model, found.weights, found.tokens, rows, draw, np.random.default_rng(seed))
    texts = sampling.texts(found.tokens, written)
    labels = {
        made.levels.spoken(at): made.levels.label(at, level) or level
        for at, level in enumerate(digits.tolist())
        if wanted != "none"
    }
    result = {
        "lm": str(lm),
        "id": wanted,
        "axes": labels,
        "rows": [{"text": text, "tokens": len(ids)} for text, ids in zip(texts, written, strict=True)],
    }
    answer(result, as_json, texts)
