"""`metaembed ids lm-eval`: whether a language model writes what an ID asks for."""

from pathlib import Path

import click

from mlx_metaembed.cli.ids.lm_sample import base_option, draw_options
from mlx_metaembed.cli.ids.lm_train import dtype_option
from mlx_metaembed.cli.ids.opened import with_model
from mlx_metaembed.cli.number_range import NumberRange
from mlx_metaembed.cli.options import bootstrap_option, engine_option, json_option
from mlx_metaembed.cli.output import answer, note, table
from mlx_metaembed.errors import CallError
from mlx_metaembed.progress.display import Stages

EPILOG = """\b
Examples:
  metaembed ids lm-eval novels.lm
  metaembed ids lm-eval novels.lm --guidance 0 --guidance 2 --texts 500 --json
"""
ROWS = ("name", "digit", "kappa", "kappa_low", "kappa_high", "exact")
GAINS = ("digit", "gain", "gain_low", "gain_high", "of_ceiling", "kappa_seen", "kappa_unseen")
TEXTS = ("name", "distinct_2", "tokens")


@click.command("lm-eval", epilog=EPILOG)
@click.argument("lm", type=click.Path(path_type=Path))
@click.option("--ids", type=click.Path(path_type=Path), help="The scheme, where it is no longer where it was.")
@click.option("--model", help="The scheme's model, where it is no longer where it was.")
@click.option("--texts", type=click.IntRange(10), default=200, show_default=True, help="Held-out texts to write for.")
@click.option(
    "--guidance",
    "guidances",
    type=NumberRange(0),
    multiple=True,
    default=(1.0,),
    show_default=True,
    help="Repeat it to compare several; the first is judged against shuffled IDs.",
)
@draw_options
@bootstrap_option
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@base_option
@dtype_option
@engine_option
@json_option
def command(
    lm: Path,
    ids: Path | None,
    model: str | None,
    texts: int,
    guidances: tuple[float, ...],
    temperature: float,
    top_p: float,
    max_tokens: int,
    draws: int,
    seed: int,
    base: str | None,
    dtype: str,
    engine: str,
    as_json: bool,
) -> None:
    """Judge LM on the texts that lm-train held out: what it writes for their IDs is coded by the scheme.

    Kappa a digit says how well the code agrees with what was asked for: 1 wholly, 0 no better than chance; misses count
    by their squared distance where levels have an order. Beside it stand texts of no ID, of another text's ID
    (shuffled), and the held-out texts themselves, cut at --max-tokens (real), which are the ceiling.
    """
    from mlx_metaembed.conditioned_lm import files, judge, opened, sampling
    from mlx_metaembed.semantic_ids import make

    made = files.load(lm)
    named = ids or made.about["scheme"]
    if not named:
        raise CallError(f"{lm} was made of rows with IDs of their own; name the scheme that codes texts so by --ids")
    found, encoder = with_model(Path(named), model, engine)
    writer = opened.load(lm, base=base, engine=engine, dtype=dtype, note=note, made=made)
    prompt = found.about["model"].get("prompt")
    stages = Stages()
    try:
        verdict = judge.judge(
            writer,
            found.scheme,
            lambda given: found.scheme.encode(make.vectors(encoder, given, prompt)),
            sampling.Draw(0.0, temperature, top_p, max_tokens),
            guidances=guidances,
            texts=texts,
            draws=draws,
            seed=seed,
            told=stages.prepared,
        )
    finally:
        stages.close()
    measures = made.about["measures"]
    bits = {key: value for key, value in measures.items() if key.startswith("bits_")}
    result = {
        "lm": str(lm),
        "ids": str(named),
        "texts": min(texts, len(made.held_out)),
        "rows": verdict.rows,
        "gains": verdict.gains,
        "written": verdict.texts,
        "bits": bits,
    }
    lines = [*table(verdict.rows, ROWS), "", "Gain over shuffled IDs, and share of the ceiling:"]
    lines += [*table(verdict.gains, GAINS), "", *table(verdict.texts, TEXTS)]
    if bits:
        said = ", ".join(f"{key.removeprefix('bits_')} {value:.3f}" for key, value in bits.items() if value is not None)
        lines += ["", f"Bits a token on held-out texts: {said}"]
    answer(result, as_json, lines)
